#pragma once

#include <algorithm>
#include <cstdint>

namespace mdl::worker::dataset {

/// How sound becomes tokens: the processor writes so many places for a clip into its text, and the model fills so many.
struct AudioTokens {
  std::int64_t hop_length = 160;  ///< samples of a mel frame
  std::int64_t patch_frames = 4;  ///< mel frames of an encoder token
  std::int64_t subsampling = 5;   ///< encoder tokens of an audio token

  /// Of a clip of `samples` samples; at least one.
  std::int64_t count(std::int64_t samples) const {
    const std::int64_t frames = 1 + samples / hop_length;
    return std::max<std::int64_t>(1, frames / patch_frames / subsampling);
  }

  /// Samples from one token's begin to the next one's.
  std::int64_t samples_each() const { return hop_length * patch_frames * subsampling; }
};

}  // namespace mdl::worker::dataset
