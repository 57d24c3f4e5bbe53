#pragma once

#include <memory>
#include <span>
#include <vector>

struct soxr;

namespace mdl::worker::audio {

/// A sound at another rate: soxr's quality HQ, as librosa's default "soxr_hq". The sound comes in pieces of any length,
/// and what they are does not change the result, so that no more is in memory than the result.
class Resampler {
 public:
  /// Rates are per second, above 0. Throws Error when soxr refuses.
  Resampler(int from, int to);

  /// The sound goes on. Throws Error when soxr fails.
  void add(std::span<const float> samples);

  /// The end of the sound: all of it at the new rate, ceil(samples * to / from) samples. Call it once.
  std::vector<float> finish();

 private:
  void check(const char* error) const;
  void process(std::span<const float> samples, bool ending);

  int from_, to_;
  std::unique_ptr<soxr, void (*)(soxr*)> soxr_;
  std::vector<float> given_;  // by soxr, at once
  std::size_t taken_ = 0;     // samples of the sound
  std::vector<float> out_;
};

}  // namespace mdl::worker::audio
