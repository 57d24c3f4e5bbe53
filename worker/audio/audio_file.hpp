#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace mdl {

/// What a sound file's header says.
struct AudioInfo {
  std::int64_t frames = 0;  ///< samples of each channel
  int sample_rate = 0;      ///< per second
  int channels = 0;
};

/// Reads the header only (of mp3, all frame headers). Throws Error naming the file when it is missing, is no sound file
/// that libsndfile reads (wav, flac, ogg, opus, mp3, aiff, ...) or has no samples.
AudioInfo probe_audio(const std::filesystem::path& path);

/// The sound as the model takes it, and as librosa.load(path, sr=sample_rate) gives it: float32 in [-1, 1], the mean of
/// the channels, resampled by soxr_hq to ceil(frames * sample_rate / the file's rate) samples.
/// Throws Error naming the file when probe_audio would, when it breaks off in the middle, or when a sample is no
/// number.
std::vector<float> load_audio(const std::filesystem::path& path, int sample_rate);

/// The same for a file that is in memory; `name` is what messages call it.
std::vector<float> load_audio(std::span<const char> bytes, const std::string& name, int sample_rate);

/// How many samples a file of `info` becomes at `sample_rate`.
std::int64_t resampled_length(const AudioInfo& info, int sample_rate);

}  // namespace mdl
