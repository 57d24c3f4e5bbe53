#include "worker/audio/audio_file.hpp"

#include <sndfile.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"
#include "worker/audio/resample.hpp"

using mdl::worker::audio::load_audio;
using mdl::worker::audio::probe_audio;
using mdl::worker::audio::unknown_sound_advice;
namespace fs = std::filesystem;

namespace {
void write_wav(const fs::path& path, const std::vector<float>& interleaved, int channels, int rate = 16000) {
  SF_INFO info{0, rate, channels, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 0, 0};
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  REQUIRE(file);
  sf_write_float(file, interleaved.data(), static_cast<sf_count_t>(interleaved.size()));
  sf_close(file);
}

std::vector<float> noise(std::size_t samples) {
  std::mt19937 random(1);
  std::vector<float> sound(samples);
  for (float& sample : sound) { sample = static_cast<float>(random() % 1001) / 1000.0F - 0.5F; }
  return sound;
}

/// A FLAC file as bytes, whose header says `frames`: 0 is unknown, as for one that was written to a pipe.
std::string flac_of_length(const std::vector<float>& sound, std::uint64_t frames) {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.flac";
  SF_INFO info{0, 44100, 1, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 0, 0};
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  REQUIRE(file);
  sf_write_float(file, sound.data(), static_cast<sf_count_t>(sound.size()));
  sf_close(file);
  std::string bytes = mdl::read_text(path);
  constexpr std::size_t kField = 21;  // of STREAMINFO: 36 bits, the first four share a byte
  const auto byte = [&](int shift) { return static_cast<char>(frames >> shift & 0xFF); };
  bytes[kField] = static_cast<char>((bytes[kField] & 0xF0) | (byte(32) & 0x0F));
  for (int i = 0; i < 4; ++i) { bytes[kField + 1 + static_cast<std::size_t>(i)] = byte(24 - 8 * i); }
  return bytes;
}
}  // namespace

TEST_CASE("channels are mixed to their mean") {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.wav";
  write_wav(path, {1.0F, 0.0F, 0.5F, 0.25F, -0.5F, -0.5F}, 2);
  CHECK(load_audio(path, 16000) == std::vector<float>{0.5F, 0.375F, -0.5F});
  CHECK(probe_audio(path).frames == 3);
  CHECK(probe_audio(path).channels == 2);
}

TEST_CASE("another rate gives so many samples, rounded up") {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.wav";
  write_wav(path, std::vector<float>(1001, 0.25F), 1, 44100);
  CHECK(load_audio(path, 16000).size() == 364);  // 1001 * 16000 / 44100 = 363.2
  CHECK(resampled_length(probe_audio(path), 16000) == 364);
}

TEST_CASE("a file in memory is the same sound") {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.wav";
  write_wav(path, {0.1F, 0.2F, 0.3F}, 1);
  const std::string bytes = mdl::read_text(path);
  CHECK(load_audio(bytes, "it", 16000) == load_audio(path, 16000));
  CHECK_THROWS_WITH(load_audio(std::string("nonsense"), "it", 16000), Catch::Contains("it"));
}

TEST_CASE("what is no sound is an error that names the file") {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.wav";
  CHECK_THROWS_WITH(probe_audio(path), Catch::Contains(path.string()));
  CHECK_THROWS_WITH(probe_audio(folder.path()), Catch::Contains("is a folder"));
  REQUIRE(::mkfifo((folder.path() / "pipe.wav").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(probe_audio(folder.path() / "pipe.wav"), Catch::Contains("is a named pipe, not a sound file"));
  mdl::write_text_atomically(path, "hello");
  CHECK_THROWS_WITH(load_audio(path, 16000), Catch::Contains(path.string()));
  write_wav(path, {}, 1);
  CHECK_THROWS_WITH(probe_audio(path), Catch::Contains("no samples"));
  write_wav(path, {0.0F, std::numeric_limits<float>::quiet_NaN()}, 1);
  CHECK_THROWS_WITH(load_audio(path, 16000), Catch::Contains("no number") && Catch::Contains("frame 1"));
}

TEST_CASE("what to do about an unknown sound names mp3 only where libsndfile reads it") {
  CHECK_THAT(unknown_sound_advice(true, "libsndfile-1.2.0"), Catch::StartsWith("Convert it to wav, flac, ogg or mp3"));
  CHECK_THAT(unknown_sound_advice(false, "libsndfile-1.0.31"),
             Catch::Contains("libsndfile-1.0.31 reads no mp3") && Catch::Contains("to wav, flac or ogg, or"));
}

TEST_CASE("a length that a header does not know, or cannot be, is counted") {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.flac";
  const auto sound = noise(10'000);
  const auto whole = load_audio(flac_of_length(sound, sound.size()), "it", 16000);
  for (const std::uint64_t frames : {std::uint64_t{0}, (std::uint64_t{1} << 36) - 1}) {
    INFO(frames);
    mdl::write_text_atomically(path, flac_of_length(sound, frames));
    CHECK(probe_audio(path).frames == 10'000);
    if (frames == 0) { CHECK(load_audio(path, 16000) == whole); }
  }
}

TEST_CASE("a sound of more than four hours is refused, however few bytes it has") {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.wav";
  write_wav(path, std::vector<float>(4 * 3600 + 1), 1, 1);
  CHECK_THROWS_WITH(probe_audio(path), Catch::Contains("longer than 4 hours") && Catch::Contains(path.string()));
  CHECK_THROWS_WITH(load_audio(path, 16000), Catch::Contains("longer than 4 hours"));
  write_wav(path, {0.5F, 0.5F}, 1, 1);
  CHECK(load_audio(path, 16000).size() == 32'000);
}

TEST_CASE("a sound is resampled to the same in pieces of any length") {
  const auto sound = noise(200'000);
  const auto resampled = [&](int from, int to, std::size_t piece) {
    mdl::worker::audio::Resampler resampler(from, to);
    for (std::span<const float> left = sound; !left.empty(); left = left.subspan(std::min(piece, left.size()))) {
      resampler.add(left.first(std::min(piece, left.size())));
    }
    return resampler.finish();
  };
  for (const int from : {8000, 11025, 44100, 48000}) {
    INFO(from);
    const auto whole = resampled(from, 16000, sound.size());
    CHECK(whole.size() == static_cast<std::size_t>(std::ceil(200'000.0 * 16000 / from)));
    CHECK(resampled(from, 16000, 1000) == whole);
    CHECK(resampled(from, 16000, 1 << 14) == whole);
  }
}
