#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "worker/audio/resample.hpp"

namespace mdl::worker::audio {

/// The sound that load_audio() gives, made of what a decoder gives block by block. However long the file is and
/// whatever its rate, no more is in memory than the result, and that is bounded by kLongestSound.
class SoundBuilder {
 public:
  /// A sound of `file_rate` samples a second becomes one of `sample_rate`. `name` is what messages call the file.
  SoundBuilder(int file_rate, int sample_rate, std::string name);

  /// The next samples, one channel. Throws Error when one is no number, or the sound gets longer than kLongestSound.
  void add(std::span<const float> mono);

  /// The whole sound. Throws Error when it has no samples, or so large ones that they cannot be resampled.
  std::vector<float> finish();

 private:
  int file_rate_;
  std::string name_;
  std::int64_t frames_ = 0;
  std::optional<Resampler> resampler_;  // where the rates differ
  std::vector<float> samples_;          // where they are the same
};

/// Throws Error when `frames` at `rate` a second take longer than kLongestSound.
void require_length(std::int64_t frames, int rate, const std::string& name);

}  // namespace mdl::worker::audio
