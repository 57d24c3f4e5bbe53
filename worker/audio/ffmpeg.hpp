#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "worker/audio/audio_file.hpp"

namespace mdl::worker::audio {

/// What decode_with_ffmpeg() gives: rate and channels with the first block, and the samples of one channel, the mean of
/// all.
using TakeBlock = std::function<void(const AudioInfo& info, std::span<const float> mono)>;

/// Decodes the first sound in a file that libsndfile does not know (m4a, aac, webm, a video) by the program ffmpeg,
/// which is searched in PATH: a child without a shell that may read local files alone, and no lists of files. It is
/// killed when it is silent for a minute, takes half an hour, or when `take` throws. `why` libsndfile does not read the
/// file. Returns what the sound is, with the frames counted. Throws Error naming the file when there is no ffmpeg, when
/// it fails or says that something is wrong (with its own first line), or when what it writes is no sound.
AudioInfo decode_with_ffmpeg(const std::filesystem::path& path, const std::string& why, const TakeBlock& take);

/// Whether ffmpeg may know a file that libsndfile does not: by its name (.m4a, .mp4, .aac, .webm and so on), or by what
/// MP4 and Matroska begin with.
bool is_for_ffmpeg(const std::filesystem::path& path);

}  // namespace mdl::worker::audio
