#include "worker/model/decoders.hpp"

#include <algorithm>

#include "common/str_cat.hpp"
#include "worker/model/qwen_decoder.hpp"

namespace mdl::worker::model {
namespace {

/// What the Python model's config class makes of a text_config that does not say.
constexpr const char* kOwnModelType = "qwen2_5_omni_text";

template <typename Class>
std::shared_ptr<Decoder> make(const TextConfig& config, at::ScalarType dtype) {
  return std::make_shared<Class>(config, dtype);
}

/// The table. Qwen2.5 keeps Qwen2's name; Qwen2.5-Omni's text model is the same network with a rope that is ordinary
/// on plain text.
const std::vector<DecoderType>& table() {
  static const std::vector<DecoderType> types = {
      {{"qwen2"}, read_qwen2_config, make<QwenDecoder>, {}},
      {{"qwen2_5_omni_text", "qwen2_5_omni_thinker_text", "qwen2_5_omni"},
       read_qwen2_5_omni_config,
       make<QwenDecoder>,
       {}},
      {{"qwen3"}, read_qwen3_config, make<QwenDecoder>, {}},
  };
  return types;
}

const DecoderType* find_type(const std::string& model_type) {
  const auto found = std::ranges::find_if(table(), [&](const DecoderType& type) {
    return std::ranges::find(type.model_types, model_type) != type.model_types.end();
  });
  return found == table().end() ? nullptr : &*found;
}

/// "a, b and c"
std::string supported_types() {
  std::string names;
  for (std::size_t i = 0; i < table().size(); ++i) {
    names += i == 0 ? "" : i + 1 == table().size() ? " and " : ", ";
    names += table()[i].model_types.front();
  }
  return names;
}

}  // namespace

std::span<const DecoderType> decoder_types() {
  return table();
}

const DecoderType& decoder_type(const TextConfig& config) {
  const DecoderType* type = find_type(config.model_type);
  TORCH_INTERNAL_ASSERT(type, "no decoder ", config.model_type);
  return *type;
}

TextConfig read_text_config(const formats::JsonFields& fields) {
  const std::string model_type = fields.text("model_type", kOwnModelType);
  if (const DecoderType* type = find_type(model_type)) {
    TextConfig config = type->read_config(fields);
    config.model_type = model_type;
    return config;
  }
  fields.reject("model_type", str_cat("the supported decoders are ", supported_types()));
}

}  // namespace mdl::worker::model
