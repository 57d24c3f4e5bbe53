#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::model {

/// The shapes of the audio encoder's tensors in a checkpoint's files, whatever modules they lie in. The files are
/// opened (their headers read) when the first shape is asked for.
class EncoderShapes {
 public:
  explicit EncoderShapes(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The shape of the tensor below audio_encoder. whose name is `ending` or ends with a dot and `ending`. Nothing where
  /// there is no such tensor, or where the folder has no weights. Throws UsageError when its files are broken.
  std::optional<std::vector<int64_t>> find(std::string_view ending) const;

 private:
  std::filesystem::path folder_;
  mutable std::optional<tensors::SafetensorsFolder> files_;
};

}  // namespace mdl::worker::model
