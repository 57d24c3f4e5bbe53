#include "worker/model/acoustic_branch.hpp"

namespace mdl::worker::model {
namespace {

constexpr double kDefaultEps = 1e-5;  // torch's

/// The front end's sizes in the place of the Dasheng encoder's; both hear 0 to 8 kHz, a frame every 10 ms.
AudioEncoderConfig frontend_sizes(AudioEncoderConfig config) {
  config.n_mels = config.acoustic.value().n_mels;
  config.n_fft = config.acoustic->n_fft;
  config.win_length = config.acoustic->win_length;
  return config;
}

}  // namespace

AcousticBranch::AcousticBranch(const AudioEncoderConfig& config, at::ScalarType dtype)
    : frontend(std::make_shared<MelFrontend>(frontend_sizes(config), MelUnit::logarithms)),
      patch_embed(
          std::make_shared<PatchEmbed>(config.embed_dim, config.acoustic.value().n_mels, config.patch_frames, dtype)),
      norm(std::make_shared<layers::LayerNorm>(config.embed_dim, kDefaultEps, dtype)),
      dtype_(dtype) {}

at::Tensor AcousticBranch::forward(const at::Tensor& mel, const at::Tensor& rows) const {
  return norm->forward(patch_embed->forward(mel.to(dtype_), rows));
}

}  // namespace mdl::worker::model
