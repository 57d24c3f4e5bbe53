#include "worker/model/mel_frontend.hpp"

#include <ATen/ops/clamp.h>
#include <ATen/ops/hann_window.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/log10.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stft.h>
#include <ATen/ops/view_as_real.h>

#include <cmath>

#include <c10/core/GradMode.h>

namespace mdl::worker::model {
namespace {

double hertz_to_mel(double hertz) {
  return 2595.0 * std::log10(1.0 + hertz / 700.0);
}

}  // namespace

at::Tensor mel_filter_bank(const AudioEncoderConfig& config) {
  const at::Tensor mels = at::linspace(hertz_to_mel(config.f_min), hertz_to_mel(config.f_max), config.n_mels + 2);
  const at::Tensor corners = (at::pow(10.0, mels / 2595.0) - 1.0) * 700.0;  // [n_mels + 2] Hz
  const int64_t highest = config.sample_rate / 2;                           // whole, as torchaudio has it
  const at::Tensor bins = at::linspace(0.0, static_cast<double>(highest), config.n_fft / 2 + 1);

  // Filter m rises from corner m to m + 1 and falls to m + 2.
  const auto corner = [&](int64_t shift) { return corners.narrow(0, shift, config.n_mels).unsqueeze(0); };
  const at::Tensor frequency = bins.unsqueeze(1);
  const at::Tensor rising = (frequency - corner(0)) / (corner(1) - corner(0));
  const at::Tensor falling = (corner(2) - frequency) / (corner(2) - corner(1));
  return at::clamp(at::minimum(rising, falling), 0.0);
}

MelFrontend::MelFrontend(const AudioEncoderConfig& config, MelUnit unit) : config_(config), unit_(unit) {
  filters_ = mel_filter_bank(config);
  window_ = at::hann_window(config.win_length);
  declare_buffer(window_, "window", window_.sizes(), at::kFloat);
  declare_buffer(filters_, "filters", filters_.sizes(), at::kFloat);
}

int64_t MelFrontend::frame_count(int64_t samples, const AudioEncoderConfig& config) {
  return 1 + samples / config.hop_length;
}

at::Tensor MelFrontend::forward(const at::Tensor& waveform) const {
  const at::NoGradGuard no_grad;
  const at::Tensor spectrum =
      at::stft(waveform.to(at::kFloat), config_.n_fft, config_.hop_length, config_.win_length, window_, config_.center,
               /*pad_mode=*/"reflect", /*normalized=*/false, /*onesided=*/true, /*return_complex=*/true);
  if (unit_ == MelUnit::logarithms) { return at::matmul(filters_.t(), spectrum.abs()).clamp_min_(1e-7).log_(); }
  const at::Tensor power = at::view_as_real(spectrum).square().sum(-1);  // [batch, n_fft / 2 + 1, frames]
  at::Tensor mel = at::matmul(filters_.t(), power);                      // [batch, n_mels, frames]
  const at::Tensor decibels = mel.clamp_min_(1e-10).log10_().mul_(10.0);
  const at::Tensor floor = decibels.amax({1, 2}, /*keepdim=*/true).sub_(120.0);
  return at::maximum(decibels, floor);
}

}  // namespace mdl::worker::model
