#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/layers/layer.hpp"

namespace mdl::worker::model {

/// What the tensors of a model are called in the files that it was loaded from, so that it can be written back under
/// the same names. The one place where a name of a file becomes a slot of the model.
class CheckpointNames {
 public:
  CheckpointNames() = default;

  /// Finds for each slot the tensor that fills it: that of its own full name, else that of another name which published
  /// code of the model has for it. `in_files`: the names of all tensors.
  CheckpointNames(const std::vector<layers::OwnedSlot>& slots, const std::vector<std::string>& in_files);

  /// The name in the files of what fills the slot with this full name; nothing where they lack it.
  std::optional<std::string> find(const std::string& slot) const;

  /// Tensors of the files that fill no slot, in order.
  const std::vector<std::string>& unused() const { return unused_; }

  /// The sentence that lists those (at most 20 of them by name), for a warning. Nothing where there are none, or none
  /// but what follows from the configuration and old files hold all the same (rotary_emb.inv_freq).
  std::optional<std::string> tell_unused() const;

 private:
  std::map<std::string, std::string> by_slot_;
  std::vector<std::string> unused_;
};

}  // namespace mdl::worker::model
