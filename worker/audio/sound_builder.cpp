#include "worker/audio/sound_builder.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/audio/audio_file.hpp"

namespace mdl::worker::audio {
namespace {

/// Whether no sample is infinite or NaN.
bool all_numbers(std::span<const float> samples) {
  // A product with 0 is 0 for numbers only. Four sums at a time, as each addition waits for the one before.
  std::array<float, 4> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= samples.size(); i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) { sums[lane] += samples[i + lane] * 0.0F; }
  }
  for (; i < samples.size(); ++i) { sums[0] += samples[i] * 0.0F; }
  return sums[0] + sums[1] + sums[2] + sums[3] == 0.0F;
}

}  // namespace

void require_length(std::int64_t frames, int rate, const std::string& name) {
  if (frames <= kLongestSound.count() * rate) { return; }
  throw Error(str_cat("the sound file ", name, " is longer than ",
                      std::chrono::duration_cast<std::chrono::hours>(kLongestSound).count(), " hours: it has ", rate,
                      " samples a second, and more than ", kLongestSound.count() * rate, " of them"),
              "Cut it into pieces, or take its row out of the file.");
}

SoundBuilder::SoundBuilder(int file_rate, int sample_rate, std::string name)
    : file_rate_(file_rate), name_(std::move(name)) {
  if (file_rate != sample_rate) { resampler_.emplace(file_rate, sample_rate); }
}

void SoundBuilder::add(std::span<const float> mono) {
  if (!all_numbers(mono)) {
    const auto bad = std::find_if(mono.begin(), mono.end(), [](float sample) { return !std::isfinite(sample); });
    throw Error(str_cat("the sound file ", name_, " holds a sample that is no number, in frame ",
                        frames_ + (bad - mono.begin())),
                kSoundAdvice);
  }
  frames_ += std::ssize(mono);
  require_length(frames_, file_rate_, name_);
  if (resampler_) {
    resampler_->add(mono);
  } else {
    samples_.insert(samples_.end(), mono.begin(), mono.end());
  }
}

std::vector<float> SoundBuilder::finish() {
  if (frames_ == 0) { throw Error(str_cat("the sound file ", name_, " has no samples"), kSoundAdvice); }
  if (!resampler_) { return std::move(samples_); }
  std::vector<float> resampled = resampler_->finish();
  // Floats of 1e38 are numbers, but their sums are none.
  if (!all_numbers(resampled)) {
    throw Error(str_cat("the sound file ", name_, " holds samples too large for a sound"), kSoundAdvice);
  }
  return resampled;
}

}  // namespace mdl::worker::audio
