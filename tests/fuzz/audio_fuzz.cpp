// A sound file: its length, the tokens that follow from it, and the sound, decoded and resampled.
#include <cmath>
#include <cstdlib>

#include "common/error.hpp"
#include "tests/fuzz/fuzz_input.hpp"
#include "tests/fuzz/scratch_folder.hpp"
#include "worker/audio/audio_file.hpp"
#include "worker/processor/processor.hpp"

namespace {

constexpr int kRate = 16000;
constexpr std::int64_t kMostSamples = mdl::worker::audio::kLongestSound.count() * kRate;

void probe(const std::filesystem::path& path) {
  try {
    const std::int64_t samples = resampled_length(mdl::worker::audio::probe_audio(path), kRate);
    mdl::fuzz::claim(samples > 0 && samples <= kMostSamples, "a length is possible");
    expand_audio_tokens("<|AUDIO|>", {samples}, mdl::worker::processor::AudioSettings());
  } catch (const mdl::Error&) {}
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const mdl::fuzz::ScratchFolder scratch;
  scratch.write("sound", mdl::fuzz::text_of(data, size));
  probe(scratch.path() / "sound");
  try {
    const auto sound = mdl::worker::audio::load_audio({reinterpret_cast<const char*>(data), size}, "sound", kRate);
    mdl::fuzz::claim(!sound.empty() && std::ssize(sound) <= kMostSamples, "a sound has samples");
    for (const float sample : sound) { mdl::fuzz::claim(std::isfinite(sample), "a sample is a number"); }
  } catch (const mdl::Error&) {}
  return 0;
}
