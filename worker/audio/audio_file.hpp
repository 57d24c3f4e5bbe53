#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace mdl::worker::audio {

/// The longest sound that is taken. It is twice what the context of the 7B model holds the tokens of, and takes 1 GB of
/// memory at 16,000 samples a second. A header may promise more, and a few bytes hold more: a second for each sample,
/// or hours of silence.
inline constexpr std::chrono::seconds kLongestSound = std::chrono::hours(4);

/// What an error says can be done about a sound file that cannot be used.
inline constexpr const char* kSoundAdvice = "Convert it to wav, flac, ogg or mp3, or take its row out of the file.";

/// What to do about a file that libsndfile of this version ("libsndfile-1.2.0") does not know: those before 1.1 read no
/// mp3.
std::string unknown_sound_advice(bool reads_mp3, const std::string& version);

/// What a sound file's header says.
struct AudioInfo {
  std::int64_t frames = 0;  ///< samples of each channel
  int sample_rate = 0;      ///< per second
  int channels = 0;
};

/// Throws Error naming the file when it is missing or a folder. Does not open it.
void require_file(const std::filesystem::path& path);

/// Reads the header only (of mp3, all frame headers); decodes the file where its header has no length, or one that is
/// too large for its bytes. Throws Error naming the file when it is missing, is no sound file that libsndfile reads
/// (wav, flac, ogg, opus, mp3, aiff, ...) nor one for decode_with_ffmpeg(), which decodes it, has no samples, or is
/// longer than kLongestSound.
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

}  // namespace mdl::worker::audio
