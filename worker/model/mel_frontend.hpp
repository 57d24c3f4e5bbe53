#pragma once

#include "worker/layers/layer.hpp"
#include "worker/model/config.hpp"

namespace mdl::worker::model {

/// Triangular filters on the HTK mel scale, mel = 2595 · log10(1 + f / 700), each with peak 1: [n_fft / 2 + 1, n_mels].
at::Tensor mel_filter_bank(const AudioEncoderConfig& config);

/// What the features are: 10 · log10(max(power, 1e-10)), no lower than 120 dB under the item's loudest value, or
/// ln(max(magnitude, 1e-7)).
enum class MelUnit { decibels, logarithms };

/// `audio_encoder.front_end`: waveform to log-mel features, always in float32 and without gradients.
/// A checkpoint that has filters and Hann window overrides them: older ones hold them rounded to bfloat16, as they were
/// trained with, which moves the features by 2 dB on average. Without them they are exact in float32.
class MelFrontend : public layers::Layer {
 public:
  explicit MelFrontend(const AudioEncoderConfig& config, MelUnit unit = MelUnit::decibels);

  /// Mel frames that `samples` samples give.
  static int64_t frame_count(int64_t samples, const AudioEncoderConfig& config);

  /// waveform [batch, samples] -> [batch, n_mels, frames]. `samples` must exceed n_fft / 2 when centred (reflection
  /// needs them).
  at::Tensor forward(const at::Tensor& waveform) const;

 private:
  AudioEncoderConfig config_;
  MelUnit unit_;
  at::Tensor window_;   ///< [win_length]
  at::Tensor filters_;  ///< [n_fft / 2 + 1, n_mels]
};

}  // namespace mdl::worker::model
