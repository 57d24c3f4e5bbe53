#include "worker/audio/vorbis_clip.hpp"

#include <sndfile.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "common/atomic_file.hpp"
#include "tests/temp_dir.hpp"

using mdl::worker::audio::VorbisClip;
namespace fs = std::filesystem;

namespace {

/// A sound of `frames` samples as libsndfile writes it.
std::string vorbis_file(int frames, int channels, int rate, double quality, unsigned seed = 1) {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.ogg";
  std::mt19937 random(seed);
  std::vector<float> sound(static_cast<std::size_t>(frames * channels));
  for (std::size_t i = 0; i < sound.size(); ++i) {
    sound[i] = 0.4F * std::sin(0.001F * static_cast<float>(i * (i % 7))) +
               0.2F * (static_cast<float>(random() % 2001) / 1000.0F - 1.0F);
  }
  SF_INFO info{0, rate, channels, SF_FORMAT_OGG | SF_FORMAT_VORBIS, 0, 0};
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  REQUIRE(file);
  sf_command(file, SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof quality);
  for (std::size_t done = 0; done < sound.size();) {  // its encoder overflows the stack when it gets much at once
    const std::size_t piece = std::min<std::size_t>(sound.size() - done, static_cast<std::size_t>(channels) * 1024);
    sf_write_float(file, sound.data() + done, static_cast<sf_count_t>(piece));
    done += piece;
  }
  sf_close(file);
  return mdl::read_text(path);
}

struct Sound {
  SF_INFO info{};
  std::vector<float> mono;
};

/// What libsndfile reads from the bytes of a file.
std::optional<Sound> by_libsndfile(const std::string& bytes) {
  const mdl::test::TempDir folder;
  const fs::path path = folder.path() / "a.ogg";
  mdl::write_text_atomically(path, bytes);
  Sound sound;
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, &sound.info);
  if (!file) { return std::nullopt; }
  const auto channels = static_cast<std::size_t>(sound.info.channels);
  std::vector<float> frame(channels);
  while (sf_readf_float(file, frame.data(), 1) == 1) {
    float sum = 0.0F;
    for (const float sample : frame) { sum += sample; }
    sound.mono.push_back(sum / static_cast<float>(channels));
  }
  sf_close(file);
  return sound;
}

/// Whether the file was taken. If so, it must be what libsndfile reads.
bool taken_as_libsndfile_does(const std::string& bytes) {
  const auto probed = VorbisClip::probe(bytes);
  const auto decoded = VorbisClip::decode(bytes);
  if (!probed && !decoded) { return false; }
  const auto expected = by_libsndfile(bytes);
  REQUIRE(expected);
  if (probed) {
    CHECK(probed->frames == expected->info.frames);
    CHECK(probed->channels == expected->info.channels);
    CHECK(probed->sample_rate == expected->info.samplerate);
  }
  if (decoded) {
    REQUIRE(decoded->samples.size() == expected->mono.size());
    CHECK(std::memcmp(decoded->samples.data(), expected->mono.data(), 4 * expected->mono.size()) == 0);
  }
  return probed && decoded;
}

/// Where the pages begin.
std::vector<std::size_t> pages_of(const std::string& bytes) {
  std::vector<std::size_t> pages;
  for (auto at = bytes.find("OggS"); at != std::string::npos; at = bytes.find("OggS", at + 4)) { pages.push_back(at); }
  return pages;
}

}  // namespace

TEST_CASE("short Vorbis files are read as libsndfile reads them, bit by bit") {
  for (const int frames : {1, 63, 64, 700, 5000, 60000}) {
    for (const int channels : {1, 2, 3}) {
      for (const int rate : {8000, 44100, 48000}) {
        INFO(frames << " frames, " << channels << " channels, " << rate << " a second");
        CHECK(taken_as_libsndfile_does(vorbis_file(frames, channels, rate, 0.1 * (frames % 9), 3)));
      }
    }
  }
}

TEST_CASE("a decoder that was used before starts afresh, on several threads") {
  const std::string one = vorbis_file(30000, 2, 44100, 0.4, 1), other = vorbis_file(12345, 2, 44100, 0.4, 2);
  const auto first = VorbisClip::decode(one)->samples, second = VorbisClip::decode(other)->samples;
  std::vector<std::thread> threads;
  std::atomic<int> different = 0;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 10; ++i) {
        const bool odd = (i + thread) % 2;
        if (VorbisClip::decode(odd ? one : other)->samples != (odd ? first : second)) { ++different; }
      }
    });
  }
  for (auto& thread : threads) { thread.join(); }
  CHECK(different == 0);
}

TEST_CASE("files with more settings than are kept are read all the same") {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      INFO("setting " << i << " in round " << round);
      CHECK(taken_as_libsndfile_does(vorbis_file(3000, 1, 8000 + 500 * i, 0.4)));
    }
  }
}

TEST_CASE("a Vorbis file that is not as it should be is left to libsndfile") {
  const std::string whole = vorbis_file(100000, 2, 44100, 0.9);
  const auto pages = pages_of(whole);
  REQUIRE(pages.size() > 8);
  const auto without = [&](std::size_t page) {
    std::string bytes = whole;
    return bytes.erase(pages[page], pages[page + 1] - pages[page]);
  };
  const auto neither = [](const std::string& bytes) { return !VorbisClip::probe(bytes) && !VorbisClip::decode(bytes); };
  CHECK(taken_as_libsndfile_does(whole));
  CHECK(neither(""));
  CHECK(neither("OggS"));
  CHECK(neither(whole.substr(0, whole.size() - 1)));  // cut off
  CHECK(neither(whole.substr(0, pages.back())));      // the last page, with its mark of the end, is missing
  CHECK(neither(whole + "x"));                        // something behind it
  CHECK(neither("x" + whole));                        // or before
  CHECK(neither(whole + whole));                      // two streams, one after the other
  CHECK(neither(without(pages.size() / 2)));          // a hole
  CHECK(neither(without(pages.size() / 2 - 1)));
  CHECK_FALSE(VorbisClip::decode(without(2)));  // the first page of sound
  std::string damaged = whole;
  damaged[pages[pages.size() / 2] + 100] ^= 1;  // a wrong checksum
  CHECK(neither(damaged));
  CHECK_FALSE(VorbisClip::recognizes(std::string("RIFF....WAVEfmt ....................")));
  CHECK(VorbisClip::recognizes(whole));
}

TEST_CASE("whatever a byte of a Vorbis file becomes, what is taken is what libsndfile reads") {
  const std::string whole = vorbis_file(4000, 1, 16000, 0.3);
  std::mt19937 random(7);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    const std::size_t at = random() % bytes.size();
    bytes[at] = static_cast<char>(random());
    INFO("byte " << at);
    refused += !taken_as_libsndfile_does(bytes);
  }
  CHECK(refused > 150);
}
