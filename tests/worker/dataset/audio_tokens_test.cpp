#include "worker/dataset/audio_tokens.hpp"

#include <catch2/catch.hpp>

using mdl::worker::dataset::AudioTokens;

TEST_CASE("a clip has a token for each 0.2 s, and one at least") {
  const AudioTokens tokens;
  CHECK(tokens.count(1) == 1);
  CHECK(tokens.count(3200) == 1);
  CHECK(tokens.count(16000) == 5);
  CHECK(tokens.count(6239) == 1);
  CHECK(tokens.count(6240) == 2);  // 40 mel frames
  CHECK(tokens.samples_each() == 3200);
}

TEST_CASE("a checkpoint's own sizes count a clip's tokens") {
  const AudioTokens tokens{.hop_length = 80, .patch_frames = 2, .subsampling = 3};
  CHECK(tokens.samples_each() == 480);
  CHECK(tokens.count(479) == 1);
  CHECK(tokens.count(880) == 2);
}
