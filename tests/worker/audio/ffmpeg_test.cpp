#include "worker/audio/ffmpeg.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::worker::audio;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A program `ffmpeg` of our own in PATH, and a file for it.
class FakeFfmpeg {
 public:
  explicit FakeFfmpeg(const std::string& script) : before_(std::getenv("PATH")) {
    std::ofstream(program()) << "#!/bin/sh\n" << script;
    ::chmod(program().c_str(), 0755);
    std::ofstream(sound()) << "no sound that libsndfile knows";
    ::setenv("PATH", (folder_.path().string() + ":" + before_).c_str(), 1);
  }
  ~FakeFfmpeg() { ::setenv("PATH", before_.c_str(), 1); }
  FakeFfmpeg(const FakeFfmpeg&) = delete;
  FakeFfmpeg& operator=(const FakeFfmpeg&) = delete;

  fs::path program() const { return folder_.path() / "ffmpeg"; }
  fs::path sound(const std::string& name = "$(touch x) 'a'.m4a") const { return folder_.path() / name; }
  fs::path folder() const { return folder_.path(); }

 private:
  test::TempDir folder_;
  std::string before_;
};

/// Sun's AU with an unknown length, float32, two channels; `rate` as printf writes four bytes.
std::string header(const std::string& rate) {
  return "printf '.snd\\000\\000\\000\\034\\377\\377\\377\\377\\000\\000\\000\\006" + rate +
         "\\000\\000\\000\\002note'\n";
}
const std::string k8000 = "\\000\\000\\037\\100";

}  // namespace

TEST_CASE("what ffmpeg decodes is the mean of the channels at the file's rate") {
  // Three frames: 0.5 and 0; -1 and -1; 0.25 and 0.75; cut in the middle of a number.
  const FakeFfmpeg fake("printf '%s\\n' \"$@\" > \"${0%/*}/said\"\n" + header(k8000) +
                        "printf '\\077\\000\\000\\000\\000\\000\\000\\000\\277\\200'\nsleep 0.1\n"
                        "printf '\\000\\000\\277\\200\\000\\000\\076\\200\\000\\000\\077\\100\\000\\000'\n");
  const AudioInfo info = probe_audio(fake.sound());
  CHECK(info.frames == 3);
  CHECK(info.sample_rate == 8000);
  CHECK(info.channels == 2);
  CHECK(load_audio(fake.sound(), 8000) == std::vector<float>{0.25F, -1.0F, 0.5F});
  CHECK(load_audio(fake.sound(), 16000).size() == 6);
  const std::string said = read_text(fake.folder() / "said");
  CHECK_THAT(said, Contains("-protocol_whitelist\nfile,pipe\n") && Contains("file:" + fake.sound().string() + "\n"));
  CHECK_FALSE(fs::exists("x"));
}

TEST_CASE("a file is for ffmpeg by its name or its beginning, and another one never is") {
  const FakeFfmpeg fake(header(k8000) + "printf '\\077\\000\\000\\000\\077\\000\\000\\000'\n");
  std::ofstream(fake.sound("film")) << std::string(
      "\0\0\0\x20"
      "ftypisom",
      12);
  std::ofstream(fake.sound("noise.wav")) << "nothing";
  CHECK(load_audio(fake.sound("film"), 8000) == std::vector<float>{0.5F});
  CHECK_THROWS_WITH(load_audio(fake.sound("noise.wav"), 8000), Contains("noise.wav") && !Contains("ffmpeg"));
  CHECK_THROWS_WITH(load_audio(std::span<const char>("nothing", 7), "http://h/a.m4a", 8000),
                    Contains("http://h/a.m4a") && Contains("local files alone"));
}

TEST_CASE("ffmpeg that fails, or writes no sound, is told with its last line") {
  const auto fault = [](const std::string& script) {
    const FakeFfmpeg fake(script);
    try {
      load_audio(fake.sound(), 8000);
    } catch (const Error& error) { return std::string(error.what()); }
    return std::string("none");
  };
  CHECK_THAT(fault("echo one >&2; echo 'moov atom not found' >&2; exit 1"), Contains(".m4a: ffmpeg fails: one"));
  CHECK_THAT(fault("printf '\n[mov @ 0x55f0a1] \033[31mmoov\377 atom\n' >&2; exit 1"),
             Contains("ffmpeg fails: [mov] [31mmoov? atom"));
  CHECK_THAT(fault(header(k8000) + "printf '\\077\\000\\000\\000\\077\\000\\000\\000'; echo ended early >&2"),
             Contains("is damaged: ffmpeg says: ended early"));
  CHECK_THAT(fault("exit 1"), Contains("ffmpeg fails without a word"));
  CHECK_THAT(fault("kill -9 $$"), Contains("ffmpeg fails"));
  CHECK_THAT(fault("exit 0"), Contains("has no samples"));
  CHECK_THAT(fault("head -c 100 /dev/zero"), Contains("no sound"));
  CHECK_THAT(fault(header(k8000) + "exit 0"), Contains("has no samples"));
  CHECK_THAT(fault(header("\\000\\000\\000\\000") + "exit 0"), Contains("no sound"));
  // Two bytes of a number too much: what is whole counts.
  CHECK_THAT(fault(header(k8000) + "printf '\\077\\000\\000\\000\\077\\000\\000\\000\\077\\000'"), Contains("none"));
  // Infinity.
  CHECK_THAT(fault(header(k8000) + "printf '\\177\\200\\000\\000\\000\\000\\000\\000'"), Contains("no number"));
  CHECK_THAT(fault("head -c 1000000 /dev/zero | tr '\\000' 'x' >&2; exit 3"), Contains("ffmpeg fails: xxx"));
}

TEST_CASE("a sound without end is ended, and with it ffmpeg") {
  // A sample a second: more than the four hours that are taken soon.
  const FakeFfmpeg fake("echo $$ > \"${0%/*}/pid\"\n" + header("\\000\\000\\000\\001") + "exec cat /dev/zero\n");
  CHECK_THROWS_WITH(load_audio(fake.sound(), 16000), Contains("longer than 4 hours"));
  CHECK_THROWS_WITH(probe_audio(fake.sound()), Contains("longer than 4 hours"));
  CHECK_FALSE(
      fs::exists("/proc/" + read_text(fake.folder() / "pid").substr(0, read_text(fake.folder() / "pid").find('\n'))));
}

TEST_CASE("without ffmpeg the error says what reads such a file") {
  const FakeFfmpeg fake("exit 0");
  fs::remove(fake.program());
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", fake.folder().c_str(), 1);
  CHECK_THROWS_WITH(probe_audio(fake.sound()), Contains("there is no program ffmpeg in PATH"));
  ::setenv("PATH", before.c_str(), 1);
}
