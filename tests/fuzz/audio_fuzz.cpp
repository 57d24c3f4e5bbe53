// A sound file, decoded and resampled.
#include <cmath>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "worker/audio/audio_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto sound = mdl::load_audio({reinterpret_cast<const char*>(data), size}, "sound", 16000);
    mdl::fuzz::claim(!sound.empty(), "a sound has samples");
    for (const float sample : sound) mdl::fuzz::claim(std::isfinite(sample), "a sample is a number");
  } catch (const mdl::Error&) {
  }
  return 0;
}
