#include "worker/model/config.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/audio_tokens.hpp"
#include "worker/formats/json_fields.hpp"
#include "worker/formats/json_file.hpp"
#include "worker/model/decoders.hpp"

namespace mdl::worker::model {
namespace {

/// patch_size and patch_stride are [bins, frames], a patch spanning all mel bins; returns the frames.
int64_t patch_frames(const formats::JsonFields& fields, const char* key, int64_t n_mels) {
  const auto* value = fields.find(key);
  if (!value) { return 4; }
  const bool pair =
      value->is_array() && value->size() == 2 && (*value)[0].is_number_integer() && (*value)[1].is_number_integer();
  if (!pair) { fields.reject(key, "a pair of whole numbers [bins, frames] is needed"); }
  if ((*value)[0].get<int64_t>() != n_mels) {
    fields.reject(key, str_cat("only patches over all n_mels = ", n_mels, " bins are supported"));
  }
  const auto frames = (*value)[1].get<int64_t>();
  if (frames < 1) { fields.reject(key, "a patch needs at least one frame"); }
  return frames;
}

AudioEncoderConfig read_encoder(const formats::JsonFields& fields) {
  AudioEncoderConfig c;
  c.embed_dim = fields.integer("embed_dim", c.embed_dim);
  c.depth = fields.integer("depth", c.depth);
  c.num_heads = fields.integer("num_heads", c.num_heads);
  if (c.embed_dim % c.num_heads != 0) {
    fields.reject("num_heads", str_cat("it must divide embed_dim = ", c.embed_dim));
  }
  c.mlp_ratio = fields.number("mlp_ratio", c.mlp_ratio);
  if (!(c.mlp_ratio > 0) || c.mlp_ratio > 1024) { fields.reject("mlp_ratio", "it must be above 0"); }
  c.qkv_bias = fields.boolean("qkv_bias", c.qkv_bias);
  if (fields.has("init_values")) { fields.reject("init_values", "LayerScale is not supported"); }
  if (fields.integer("input_channels", 1) != 1) { fields.reject("input_channels", "only one channel is supported"); }
  for (const char* key : {"drop_rate", "attn_drop_rate", "drop_path_rate"}) { require_no_dropout(fields, key); }

  c.n_mels = fields.integer("n_mels", c.n_mels);
  c.patch_frames = patch_frames(fields, "patch_size", c.n_mels);
  if (patch_frames(fields, "patch_stride", c.n_mels) != c.patch_frames) {
    fields.reject("patch_stride", "overlapping patches are not supported; it must equal patch_size");
  }
  c.target_length = fields.integer("target_length", c.target_length);
  if (c.target_length < c.patch_frames) { fields.reject("target_length", "it must hold at least one patch"); }

  c.n_fft = fields.integer("n_fft", c.n_fft, 2);
  c.win_length = fields.integer("win_length", c.win_length);
  if (c.win_length > c.n_fft) { fields.reject("win_length", str_cat("it must not exceed n_fft = ", c.n_fft)); }
  c.hop_length = fields.integer("hop_length", c.hop_length);
  c.sample_rate = fields.integer("sample_rate", c.sample_rate);
  c.f_min = fields.number("f_min", c.f_min);
  c.f_max = fields.number("f_max", c.f_max);
  if (!(0 <= c.f_min && c.f_min < c.f_max && c.f_max <= static_cast<double>(c.sample_rate) / 2)) {
    fields.reject("f_max", "0 <= f_min < f_max <= sample_rate / 2 is needed");
  }
  c.center = fields.boolean("center", c.center);
  if (!c.center) { fields.reject("center", "only centred frames are supported"); }
  return c;
}

}  // namespace

ModelConfig load_config(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw UsageError(str_cat("no checkpoint folder ", folder.string()),
                     "Give the path of a folder with config.json, the weights and the tokenizer.");
  }
  const auto path = folder / "config.json";
  if (!std::filesystem::exists(path)) {
    throw UsageError(str_cat(folder.string(), " has no config.json"),
                     std::filesystem::exists(folder / "adapter_config.json")
                         ? "It holds an adapter; give the folder of the whole model."
                         : "Is it the folder of a MiDashengLM checkpoint?");
  }
  const std::string file = path.string();
  const nlohmann::json json = formats::read_json(path);
  const formats::JsonFields fields(json, file, "");
  if (fields.text("model_type", "midashenglm") != "midashenglm") {
    fields.reject("model_type", "this program trains MiDashengLM models (\"midashenglm\")");
  }
  if (fields.has("quantization_config")) {
    fields.reject("quantization_config", "give the checkpoint that is not quantized");
  }
  ModelConfig c;
  c.text = read_text_config(fields.object("text_config"));
  const auto encoder = fields.optional_object("audio_encoder_config");
  if (encoder) { c.audio = read_encoder(*encoder); }
  c.subsample_factor = fields.integer("subsample_factor", c.subsample_factor);
  c.audio_token_id = fields.integer("audio_token_id", std::nullopt, 0);
  if (c.audio_token_id >= c.text.vocab_size) {
    fields.reject("audio_token_id", str_cat("it must be below vocab_size = ", c.text.vocab_size));
  }
  return c;
}

int64_t audio_token_count(int64_t samples, const ModelConfig& config) {
  const dataset::AudioTokens tokens{.hop_length = config.audio.hop_length,
                                    .patch_frames = config.audio.patch_frames,
                                    .subsampling = config.subsample_factor};
  return tokens.count(samples);
}

}  // namespace mdl::worker::model
