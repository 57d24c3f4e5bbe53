#include "worker/model/encoder_shapes.hpp"

#include "common/str_cat.hpp"

namespace mdl::worker::model {

std::optional<std::vector<int64_t>> EncoderShapes::find(std::string_view ending) const {
  if (!files_) {
    if (!tensors::SafetensorsFolder::is_at(folder_)) { return std::nullopt; }
    files_.emplace(folder_);
  }
  constexpr std::string_view kEncoder = "audio_encoder.";
  const std::string end = str_cat(".", ending);
  for (const std::string& name : files_->names()) {
    if (name.starts_with(kEncoder) && name.ends_with(end)) { return files_->entry(name).shape; }
  }
  return std::nullopt;
}

}  // namespace mdl::worker::model
