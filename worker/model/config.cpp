#include "worker/model/config.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/audio_tokens.hpp"
#include "worker/formats/json_fields.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/formats/run_folder.hpp"
#include "worker/model/decoders.hpp"
#include "worker/model/quantized_weights.hpp"
#include "worker/processor/processor.hpp"
#include "worker/processor/token_id.hpp"
#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::model {
namespace {

/// Of the processor's audio token, whose place in the text the sound takes.
int64_t audio_token_id(const formats::JsonFields& fields, const std::filesystem::path& folder, Tokenizer tokenizer) {
  if (fields.has("audio_token_id")) { return fields.integer("audio_token_id", std::nullopt, 0); }
  if (tokenizer == Tokenizer::may_be_missing && !std::filesystem::exists(folder / "tokenizer.json")) { return 0; }
  const std::string token = processor::AudioSettings::load(folder).audio_token;
  if (const auto id = processor::read_token_id(folder, token)) { return *id; }
  fields.reject("audio_token_id", str_cat("and the tokenizer of ", folder.string(), " has no \"", token, "\""));
}

/// Where a configuration says that the weights are quantized.
void refuse_quantization(const formats::JsonFields& fields, const std::string& decoder) {
  for (const char* key : {"quantization_config", "compression_config"}) {
    const auto* value = fields.find(key);
    if (!value) { continue; }
    const std::string method = value->is_object() ? value->value("quant_method", nlohmann::json()).dump() : "null";
    fields.reject(key, str_cat(kQuantized, method == "null" ? "" : " (quant_method " + method + ")"),
                  unquantized_variant(decoder));
  }
}

/// Those of the weights in `folder`; none where it holds a configuration alone.
formats::TensorShapes tensor_shapes(const std::filesystem::path& folder) {
  formats::TensorShapes shapes;
  if (!tensors::SafetensorsFolder::is_at(folder)) { return shapes; }
  const tensors::SafetensorsFolder files(folder);
  for (const std::string& name : files.names()) { shapes.emplace(name, files.entry(name).shape); }
  return shapes;
}

}  // namespace

ModelConfig load_config(const std::filesystem::path& folder, Tokenizer tokenizer) {
  if (!std::filesystem::is_directory(folder)) {
    throw UsageError(str_cat("no checkpoint folder ", folder.string()),
                     "Give the path of a folder with config.json, the weights and the tokenizer.");
  }
  const auto path = folder / "config.json";
  if (!std::filesystem::exists(path)) {
    throw UsageError(str_cat(folder.string(), " has no config.json"),
                     std::filesystem::exists(folder / "adapter_config.json")
                         ? "It holds an adapter; give the folder of the whole model."
                         : formats::hint_of_final(folder) + "A MiDashengLM checkpoint has one.");
  }
  const std::string file = path.string();
  const nlohmann::json json = formats::read_json(path);
  const formats::JsonFields fields(json, file, "");
  if (fields.text("model_type", "midashenglm") != "midashenglm") {
    fields.reject("model_type", "this program trains MiDashengLM models (\"midashenglm\")");
  }
  const formats::JsonFields text = fields.object("text_config");
  for (const formats::JsonFields& part : {fields, text}) {
    refuse_quantization(part, text.text("model_type", std::string()));
  }
  ModelConfig c;
  c.text = read_text_config(text);
  const nlohmann::json defaults = nlohmann::json::object();
  const auto encoder = fields.optional_object("audio_encoder_config");
  c.audio = read_encoder_config(encoder.value_or(formats::JsonFields(defaults, file, "audio_encoder_config")),
                                tensor_shapes(folder), folder);
  c.subsample_factor = fields.integer("subsample_factor", c.subsample_factor);
  c.audio_token_id = audio_token_id(fields, folder, tokenizer);
  if (c.audio_token_id >= c.text.vocab_size) {
    fields.reject("audio_token_id", str_cat("it must be below vocab_size = ", c.text.vocab_size));
  }
  return c;
}

dataset::AudioTokens audio_tokens(const ModelConfig& config) {
  return {.hop_length = config.audio.hop_length,
          .patch_frames = config.audio.patch_frames,
          .subsampling = config.subsample_factor};
}

int64_t audio_token_count(int64_t samples, const ModelConfig& config) {
  return audio_tokens(config).count(samples);
}

}  // namespace mdl::worker::model
