#pragma once

#include <optional>
#include <span>
#include <vector>

#include "worker/audio/audio_file.hpp"

namespace mdl::worker::audio {

/// A short Ogg Vorbis file, read past libsndfile, which would build the decoder's tables anew each time the file is
/// opened: half of the work for a sound of a second or two (see VorbisSetup). The decoder is libsndfile's, libvorbis,
/// and the results are the same bit by bit.
///
/// Only a file as it should be is taken: one Vorbis stream and nothing else, from sample 0 to its end, no page damaged
/// or missing. For every other file these functions return nothing, and libsndfile, which knows what to do or to say,
/// must be asked.
class VorbisClip {
 public:
  /// Bytes of a file for which this is worth it; a longer one takes long to decode anyhow.
  static constexpr std::size_t kMaxBytes = 1 << 20;

  /// Whether a file that begins like this may be one.
  static bool recognizes(std::span<const char> beginning);
  static constexpr std::size_t kRecognizedBytes = 35;

  /// What the file holds, without decoding it.
  static std::optional<AudioInfo> probe(std::span<const char> bytes);

  struct Mono {
    AudioInfo info;
    std::vector<float> samples;  ///< the mean of the channels, info.frames of them
  };
  static std::optional<Mono> decode(std::span<const char> bytes);
};

}  // namespace mdl::worker::audio
