#include "worker/model/config.hpp"

#include <algorithm>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/formats/json_fields.hpp"

namespace mdl::worker::model {
namespace {

/// Refuses a feature of the Python model that would change the numbers if it were ignored.
void require_zero(const formats::JsonFields& fields, const char* key) {
  if (fields.number(key, 0.0) != 0.0) {
    fields.reject(key, "this program has no dropout in the base model; it must be 0");
  }
}

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
  for (const char* key : {"drop_rate", "attn_drop_rate", "drop_path_rate"}) { require_zero(fields, key); }

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

TextConfig::Family read_family(const formats::JsonFields& fields) {
  const std::string type = fields.text("model_type");
  if (type == "qwen3") { return TextConfig::Family::qwen3; }
  // Qwen2.5 keeps Qwen2's name; Qwen2.5-Omni's text model is the same network with a rope that is ordinary on plain
  // text.
  for (const char* name : {"qwen2", "qwen2_5_omni_text", "qwen2_5_omni_thinker_text", "qwen2_5_omni"}) {
    if (type == name) { return TextConfig::Family::qwen2; }
  }
  fields.reject("model_type", "the supported decoders are qwen2, qwen2_5_omni_text and qwen3");
}

/// Both spellings: rope_parameters (transformers 5) holds theta as well, rope_scaling stands beside rope_theta.
double read_rope(const formats::JsonFields& fields) {
  double theta = fields.number("rope_theta", 10000.0);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const auto rope = fields.optional_object(key);
    if (!rope) { continue; }
    for (const char* name : {"rope_type", "type"}) {
      const std::string type = rope->text(name, "default");
      // "mrope" gives text, image and video tokens positions of their own; for text alone all three are the same.
      if (type != "default" && type != "mrope") {
        rope->reject(name, "only the unscaled rope (\"default\") is supported");
      }
    }
    if (rope->number("partial_rotary_factor", 1.0) != 1.0) {
      rope->reject("partial_rotary_factor", "only a rope over the whole head is supported");
    }
    theta = rope->number("rope_theta", theta);
  }
  if (!(theta > 0)) { fields.reject("rope_theta", "it must be above 0"); }
  return theta;
}

TextConfig read_text(const formats::JsonFields& fields) {
  TextConfig c;
  c.family = read_family(fields);
  const bool qwen3 = c.family == TextConfig::Family::qwen3;
  c.hidden_size = fields.integer("hidden_size");
  c.num_layers = fields.integer("num_hidden_layers");
  c.intermediate_size = fields.integer("intermediate_size");
  c.num_heads = fields.integer("num_attention_heads");
  c.num_kv_heads = fields.integer("num_key_value_heads");
  if (c.num_heads % c.num_kv_heads != 0) {
    fields.reject("num_key_value_heads", str_cat("it must divide num_attention_heads = ", c.num_heads));
  }
  if (!qwen3 && !fields.has("head_dim") && c.hidden_size % c.num_heads != 0) {
    fields.reject("num_attention_heads", str_cat("it must divide hidden_size = ", c.hidden_size));
  }
  c.head_dim = fields.integer("head_dim", qwen3 ? 128 : c.hidden_size / c.num_heads);
  if (c.head_dim % 2 != 0) { fields.reject("head_dim", "rope needs an even size"); }
  c.vocab_size = fields.integer("vocab_size");
  c.rms_norm_eps = fields.number("rms_norm_eps", c.rms_norm_eps);
  c.rope_theta = read_rope(fields);
  c.tie_word_embeddings = fields.boolean("tie_word_embeddings", false);
  c.qkv_bias = qwen3 ? fields.boolean("attention_bias", false) : true;
  c.o_bias = qwen3 && c.qkv_bias;
  if (fields.has("pad_token_id")) { c.pad_token_id = fields.integer("pad_token_id", std::nullopt, 0); }

  if (fields.text("hidden_act", "silu") != "silu") { fields.reject("hidden_act", "only \"silu\" is supported"); }
  require_zero(fields, "attention_dropout");
  if (fields.boolean("use_sliding_window", false)) {
    fields.reject("use_sliding_window", "attention with a sliding window is not supported");
  }
  if (const auto* types = fields.find("layer_types")) {
    const bool full = types->is_array() && std::all_of(types->begin(), types->end(),
                                                       [](const auto& type) { return type == "full_attention"; });
    if (!full) { fields.reject("layer_types", "only \"full_attention\" layers are supported"); }
  }
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
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(mdl::read_text(path));
  } catch (const nlohmann::json::exception& e) { throw UsageError(str_cat(file, " is not valid JSON: ", e.what())); }

  const formats::JsonFields fields(json, file, "");
  if (fields.text("model_type", "midashenglm") != "midashenglm") {
    fields.reject("model_type", "this program trains MiDashengLM models (\"midashenglm\")");
  }
  if (fields.has("quantization_config")) {
    fields.reject("quantization_config", "give the checkpoint that is not quantized");
  }
  ModelConfig c;
  c.text = read_text(fields.object("text_config"));
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
  const int64_t frames = 1 + samples / config.audio.hop_length;
  return std::max<int64_t>(1, frames / config.audio.patch_frames / config.subsample_factor);
}

}  // namespace mdl::worker::model
