#include "worker/model/encoder_config.hpp"

#include "common/str_cat.hpp"
#include "worker/formats/json_fields.hpp"
#include "worker/model/stored_encoder.hpp"
#include "worker/model/text_config.hpp"

namespace mdl::worker::model {
namespace {

/// Of the class, for a patch_size that is not there: 16 bins by 16 frames.
constexpr int64_t kSquarePatch = 16;
constexpr int64_t kMostPatchFrames = 4096;

struct Patch {
  int64_t bins;
  int64_t frames;
};

/// patch_size and patch_stride are [bins, frames], or one number for both.
Patch read_patch(const formats::JsonFields& fields, const char* key, const Patch& otherwise) {
  const auto* value = fields.find(key);
  if (!value) { return otherwise; }
  if (value->is_number_integer()) { return {value->get<int64_t>(), value->get<int64_t>()}; }
  const bool pair =
      value->is_array() && value->size() == 2 && (*value)[0].is_number_integer() && (*value)[1].is_number_integer();
  if (!pair) { fields.reject(key, "a pair of whole numbers [bins, frames] is needed"); }
  return {(*value)[0].get<int64_t>(), (*value)[1].get<int64_t>()};
}

/// The patch of a configuration that does not say it: the convolution's weight is [dim, 1, bins, frames]. Where the
/// weights are elsewhere, they may say what is supported.
Patch stored_patch(const AudioEncoderConfig& config, const formats::TensorShapes& tensors) {
  if (tensors.empty()) { return {config.n_mels, config.patch_frames}; }
  const auto found = tensors.find(config.names.patch_embed + ".weight");
  if (found != tensors.end() && found->second.size() == 4) { return {found->second[2], found->second[3]}; }
  return {kSquarePatch, kSquarePatch};
}

int64_t patch_frames(const formats::JsonFields& fields, const AudioEncoderConfig& config,
                     const formats::TensorShapes& tensors) {
  const int64_t n_mels = config.n_mels;
  const Patch size = fields.has("patch_size") ? read_patch(fields, "patch_size", {}) : stored_patch(config, tensors);
  if (size.bins != n_mels) {
    fields.reject("patch_size", str_cat(fields.has("patch_size") ? "" : str_cat("that means ", size.bins, ", and "),
                                        "only patches over all n_mels = ", n_mels, " bins are supported"));
  }
  if (size.frames < 1 || size.frames > kMostPatchFrames) {
    fields.reject("patch_size", str_cat("a patch has 1 to ", kMostPatchFrames, " frames"));
  }
  const Patch stride = read_patch(fields, "patch_stride", size);
  if (stride.bins != size.bins || stride.frames != size.frames) {
    fields.reject("patch_stride", "overlapping patches are not supported; it must equal patch_size");
  }
  return size.frames;
}

int64_t target_length(const formats::JsonFields& fields, const AudioEncoderConfig& config,
                      const formats::TensorShapes& tensors) {
  if (fields.has("target_length")) { return fields.integer("target_length"); }
  const auto found = tensors.find(config.names.time_pos_embed);  // [1, dim, 1, patches]
  if (found == tensors.end() || found->second.size() != 4) { return config.target_length; }
  return found->second.back() * config.patch_frames;
}

/// What none of this program's layers has: ignored, it would change the numbers.
void refuse_other_layers(const formats::JsonFields& fields) {
  if (fields.number("init_values", 0.0) != 0.0) { fields.reject("init_values", "LayerScale is not supported"); }
  if (fields.integer("input_channels", 1) != 1) { fields.reject("input_channels", "only one channel is supported"); }
  for (const char* key : {"drop_rate", "attn_drop_rate", "drop_path_rate"}) { require_no_dropout(fields, key); }
}

void read_frontend(const formats::JsonFields& fields, AudioEncoderConfig& c) {
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
}

}  // namespace

AudioEncoderConfig read_encoder_config(const formats::JsonFields& fields, const formats::TensorShapes& tensors,
                                       const std::filesystem::path& folder) {
  AudioEncoderConfig c;
  c.names = find_names(fields, tensors, folder);
  c.embed_dim = fields.integer("embed_dim", c.embed_dim);
  c.depth = fields.integer("depth", c.depth);
  c.num_heads = fields.integer("num_heads", c.num_heads);
  c.mlp_ratio = fields.number("mlp_ratio", c.mlp_ratio);
  if (!(c.mlp_ratio > 0) || c.mlp_ratio > 1024) { fields.reject("mlp_ratio", "it must be above 0"); }
  c.qkv_bias = fields.boolean("qkv_bias", c.qkv_bias);
  refuse_other_layers(fields);
  read_frontend(fields, c);
  if (c.names.acoustic) { c.acoustic.emplace().n_mels = fields.integer("n_mels_patch", AcousticConfig().n_mels); }
  if (c.acoustic && !tensors.empty()) {
    take_stored_sizes(tensors, folder, c);
  } else {
    c.n_mels = fields.integer("n_mels", c.n_mels);
    c.patch_frames = patch_frames(fields, c, tensors);
    c.target_length = target_length(fields, c, tensors);
    if (c.target_length < c.patch_frames) { fields.reject("target_length", "it must hold at least one patch"); }
  }
  if (c.embed_dim % c.num_heads != 0) {
    fields.reject("num_heads", str_cat("it must divide embed_dim = ", c.embed_dim));
  }
  return c;
}

}  // namespace mdl::worker::model
