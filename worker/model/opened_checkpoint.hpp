#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "worker/model/midashenglm.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::model {

/// A checkpoint whose files fit its configuration, before its weights are read: what can be said of it from config.json
/// and from the names, shapes and types in the headers of the weights.
struct OpenedCheckpoint {
  tensors::SafetensorsFolder files;
  std::shared_ptr<MiDashengLM> model;  ///< on the meta device; its names are those of the files
  std::vector<layers::OwnedSlot> slots;
};

/// Opens the checkpoint in `folder`. Throws UsageError: as load_config() and SafetensorsFolder do, for quantized
/// weights, or a list of all tensors that are missing or have a wrong shape or type.
OpenedCheckpoint open_checkpoint(const std::filesystem::path& folder, at::ScalarType dtype);

}  // namespace mdl::worker::model
