#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/adapter/adapter_folder.hpp"
#include "worker/model/opened_checkpoint.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::merge {

/// A tensor of the merged checkpoint, before it is made.
struct PlannedTensor {
  std::string name;
  at::ScalarType dtype;
  int64_t numel = 0;

  std::size_t bytes() const { return static_cast<std::size_t>(numel) * at::elementSize(dtype); }
};

/// The weights of a checkpoint with an adapter merged into them, as PEFT's merge_and_unload() makes them: each tensor
/// is made when it is asked for, from the mapped files of both, so that none but those that the caller keeps take
/// memory.
///
/// weight + scaling · B·A is computed in float32 and rounded once to the weight's type; with DoRA each row of the sum
/// is scaled to its magnitude. Modules that were trained whole replace the base's, and running statistics that lie
/// beside the adapter those of the audio encoder. An lm_head that is tied to embeddings which change, or that has an
/// adapter, becomes a tensor of its own.
class MergedWeights {
 public:
  /// The adapter is put on `base.model`, on the meta device. With `dtype`, parameters become of this type; buffers keep
  /// theirs. Throws UsageError as adapter::check_adapter() does.
  MergedWeights(model::OpenedCheckpoint base, const adapter::AdapterFolder& adapter,
                std::optional<at::ScalarType> dtype);
  ~MergedWeights();

  /// All tensors, under the names of the base's files and in the order of the model; what the model does not use comes
  /// last.
  const std::vector<PlannedTensor>& tensors() const { return planned_; }

  /// Tensor number `index`, on the host. A tensor that nothing changes is the mapped file's own. Throws Error where a
  /// value is no finite number.
  at::Tensor make(std::size_t index) const;

  /// Whether the embeddings and the head, which the base's config.json ties, are so no more.
  bool is_untied() const { return untied_; }

  std::size_t merged_layers() const { return merged_layers_; }

 private:
  struct Origin;

  std::vector<PlannedTensor> planned_;
  std::vector<Origin> origins_;  ///< parallel
  model::OpenedCheckpoint base_;
  std::unique_ptr<tensors::SafetensorsFile> adapter_, statistics_;
  bool untied_ = false;
  std::size_t merged_layers_ = 0;
};

/// Cuts the tensors into files of at most `most` bytes, a tensor never divided: where each file ends.
std::vector<std::size_t> shard_ends(const std::vector<PlannedTensor>& tensors, std::size_t most);

}  // namespace mdl::worker::merge
