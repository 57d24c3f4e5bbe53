#include "worker/model/stored_encoder.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::model {
namespace {

/// The configuration class of the encoder with two branches has a model_type and a key of its own.
bool speaks_of_two_branches(const formats::JsonFields& fields) {
  return fields.has("n_mels_patch") || fields.text("model_type", "").find("tokenizer") != std::string::npos;
}

/// Below audio_encoder. lies the public module: the Dasheng encoder in it as `model`, its batch norm in a sequence.
formats::EncoderNames public_names() {
  const std::string module = "audio_encoder.model.";
  return {.blocks = module + "blocks",
          .init_bn = module + "init_bn.1",
          .patch_embed = module + "patch_embed.proj",
          .norm = module + "norm",
          .time_pos_embed = module + "time_pos_embed",
          .freq_pos_embed = module + "freq_pos_embed",
          .window = module + "front_end.0.spectrogram.window",
          .filters = module + "front_end.0.mel_scale.fb",
          .acoustic = formats::AcousticNames()};
}

/// The sizes of one tensor, of which there must be `dimensions`, each at least 1.
std::vector<int64_t> sizes_of(const formats::TensorShapes& tensors, const std::string& name, size_t dimensions) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) { throw UsageError(str_cat("the audio encoder has no ", name)); }
  const std::vector<int64_t>& shape = found->second;
  if (shape.size() != dimensions || std::ranges::any_of(shape, [](int64_t size) { return size < 1; })) {
    throw UsageError(str_cat("the tensor ", name, " has an impossible shape"));
  }
  return shape;
}

/// Of a front end whose tensors the checkpoint holds; else they stay as they are.
void take_frontend(const formats::TensorShapes& tensors, const std::string& filters, const std::string& window,
                   int64_t& n_fft, int64_t& win_length) {
  if (!tensors.contains(filters)) { return; }
  n_fft = 2 * (sizes_of(tensors, filters, 2)[0] - 1);
  win_length = tensors.contains(window) ? sizes_of(tensors, window, 1)[0] : n_fft;
  if (n_fft < 2 || win_length > n_fft) {
    throw UsageError(str_cat("the mel filters ", filters, " are for a Fourier transform of ", n_fft,
                             " points, which does not fit a window of ", win_length));
  }
}

void take_semantic_sizes(const formats::TensorShapes& tensors, AudioEncoderConfig& c) {
  const formats::EncoderNames& names = c.names;
  const auto patch = sizes_of(tensors, names.patch_embed + ".weight", 4);
  c.embed_dim = patch[0];
  c.n_mels = patch[2];
  c.patch_frames = patch[3];
  c.target_length = sizes_of(tensors, names.time_pos_embed, 4)[3] * c.patch_frames;
  c.depth = 0;
  while (tensors.contains(str_cat(names.blocks, ".", c.depth, ".attn.qkv.weight"))) { ++c.depth; }
  const std::string block = names.blocks + ".0.";
  c.qkv_bias = tensors.contains(block + "attn.qkv.bias");
  const auto hidden = sizes_of(tensors, block + "mlp.fc1.weight", 2)[0];
  c.mlp_ratio = (static_cast<double>(hidden) + 0.5) / static_cast<double>(c.embed_dim);  // rounded down by mlp_dim()
  take_frontend(tensors, names.filters, names.window, c.n_fft, c.win_length);
}

void take_acoustic_sizes(const formats::TensorShapes& tensors, AudioEncoderConfig& c) {
  const formats::AcousticNames& names = c.names.acoustic.value();
  const auto patch = sizes_of(tensors, names.patch_embed + ".weight", 4);
  if (patch[3] != c.patch_frames) {
    throw UsageError(str_cat("the acoustic branch has patches of ", patch[3], " frames (", names.patch_embed,
                             ".weight), the Dasheng encoder of ", c.patch_frames, ": that is not supported"));
  }
  AcousticConfig& acoustic = c.acoustic.emplace();
  acoustic.n_mels = patch[2];
  take_frontend(tensors, names.filters, names.window, acoustic.n_fft, acoustic.win_length);
}

/// Runs `work`; an error of it names the folder.
template <typename Work>
auto naming(const std::filesystem::path& folder, const Work& work) {
  try {
    return work();
  } catch (const UsageError& error) {
    throw UsageError(str_cat(folder.string(), ": ", error.problem()), error.advice());
  }
}

}  // namespace

formats::EncoderNames find_names(const formats::JsonFields& fields, const formats::TensorShapes& tensors,
                                 const std::filesystem::path& folder) {
  const bool two_branches = speaks_of_two_branches(fields);
  if (tensors.empty()) { return two_branches ? public_names() : formats::EncoderNames(); }
  return naming(folder, [&] { return formats::find_encoder_names(tensors, two_branches); });
}

void take_stored_sizes(const formats::TensorShapes& tensors, const std::filesystem::path& folder,
                       AudioEncoderConfig& config) {
  naming(folder, [&] {
    take_semantic_sizes(tensors, config);
    take_acoustic_sizes(tensors, config);
  });
}

}  // namespace mdl::worker::model
