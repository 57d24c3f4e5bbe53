#pragma once

#include <vector>

#include "worker/layers/packed_sequences.hpp"
#include "worker/model/batch_layout.hpp"

namespace mdl::worker::model {

/// Where the memory of a PackedBatch lies. A copy to a GPU that the host does not wait for needs pinned memory.
enum class HostMemory { plain, pinned };

/// Which parts of the model take flash attention, which reads where sequences end.
struct FlashAttention {
  bool text = false, audio = false;
};

/// What counts of rows are rounded up to where a layer is made anew for each count that it has not seen: oneDNN's
/// products of bfloat16 on a CPU.
inline constexpr int64_t kRowStep = 32;

/// A planned batch and all that the device needs of it, side by side in one piece of memory: one copy brings it there.
/// It is made on the host, on any thread, by MiDashengLM::pack(). All tensors but input_values and the ends of
/// sequences are int64, of one dimension, and have the numbers of the layout's vectors. Where rows are rounded up,
/// zeros follow those of tokens, patches and predicting rows: the added rows are a sequence of their own, which nothing
/// reads.
class PackedBatch {
 public:
  PackedBatch() = default;

  /// `sounds` [batch, samples] float32, or undefined without sound; one that lies on a device stays there. Counts of
  /// rows are rounded up to multiples of `row_step`.
  PackedBatch(BatchLayout plan, const at::Tensor& sounds, HostMemory where, FlashAttention flash = {},
              int64_t row_step = 1);

  /// The same on `device`. From pinned memory the host does not wait for the copy.
  PackedBatch to(at::Device device) const;

  BatchLayout layout;
  at::Tensor input_values;
  at::Tensor token_ids, positions, audio_rows, predicting_rows, targets;
  at::Tensor folded_patches, patch_rows, patch_times;
  layers::PackedSequences text, audio;  ///< the rows of text and the pieces of sound as attention takes them

 private:
  /// All tensors that go to the device.
  std::vector<at::Tensor*> parts();

  at::Tensor memory_;  ///< bytes; the tensors above are views of it
};

}  // namespace mdl::worker::model
