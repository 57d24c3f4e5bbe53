#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/layers/layer.hpp"

namespace mdl::worker::model {

/// Which tensors of the files that a model was loaded from fill its slots, so that it can be written back under the
/// same names, and no others. A slot's full name is the files' own: where published models differ in it, the audio
/// encoder is built with what formats::find_encoder_names() found.
class CheckpointNames {
 public:
  CheckpointNames() = default;

  /// `in_files`: the names of all tensors.
  CheckpointNames(const std::vector<layers::OwnedSlot>& slots, const std::vector<std::string>& in_files);

  /// Whether the files have a tensor for the slot with this full name.
  bool fills(const std::string& slot) const { return filled_.contains(slot); }

  /// Tensors of the files that fill no slot, in order.
  const std::vector<std::string>& unused() const { return unused_; }

  /// The sentence that lists those (at most 20 of them by name), for a warning. Nothing where there are none, or none
  /// but what follows from the configuration and old files hold all the same (rotary_emb.inv_freq).
  std::optional<std::string> tell_unused() const;

 private:
  std::set<std::string> filled_;
  std::vector<std::string> unused_;
};

}  // namespace mdl::worker::model
