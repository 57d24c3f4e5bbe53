#include "worker/audio/audio_file.hpp"

#include <sndfile.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using mdl::load_audio;
using mdl::probe_audio;
namespace fs = std::filesystem;

namespace {
void write_wav(const fs::path& path, const std::vector<float>& interleaved, int channels, int rate = 16000) {
  SF_INFO info{0, rate, channels, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 0, 0};
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  REQUIRE(file);
  sf_write_float(file, interleaved.data(), static_cast<sf_count_t>(interleaved.size()));
  sf_close(file);
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
  mdl::write_text_atomically(path, "hello");
  CHECK_THROWS_WITH(load_audio(path, 16000), Catch::Contains(path.string()));
  write_wav(path, {}, 1);
  CHECK_THROWS_WITH(probe_audio(path), Catch::Contains("no samples"));
  write_wav(path, {0.0F, std::numeric_limits<float>::quiet_NaN()}, 1);
  CHECK_THROWS_WITH(load_audio(path, 16000), Catch::Contains("no number") && Catch::Contains("frame 1"));
}
