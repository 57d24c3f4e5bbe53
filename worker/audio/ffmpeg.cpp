#include "worker/audio/ffmpeg.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "common/command/child.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::audio {
namespace {

namespace fs = std::filesystem;
using command::Child;

constexpr std::chrono::seconds kSilence{60};
constexpr std::chrono::seconds kEnding{10};
constexpr std::chrono::minutes kLongestRun{30};
constexpr std::size_t kBlockBytes = 1 << 16;
constexpr std::size_t kToldBytes = 4096;
constexpr std::uint32_t kMostChannels = 256, kMostRate = 10'000'000;

/// Containers with sounds in them. Those that name other files (playlists, concat) are not among them.
constexpr const char* kFormats =
    "mov,mp4,m4a,3gp,3g2,matroska,webm,aac,asf,avi,flv,mpegts,mpeg,mpegvideo,amr,ac3,eac3,dts,mp3,ogg,flac,wav,w64,"
    "aiff,"
    "caf,ape,wv,tta,tak,dsf,mpc,mpc8,rm,au";

constexpr const char* kEndings[] = {".m4a", ".m4b",  ".mp4", ".m4v", ".mov", ".3gp", ".aac", ".webm",
                                    ".mkv", ".mka",  ".wma", ".wmv", ".asf", ".avi", ".flv", ".ts",
                                    ".mpg", ".mpeg", ".amr", ".ac3", ".ape", ".wv"};

/// What ffmpeg writes: Sun's AU, the plainest format that says how many channels there are and at which rate; float32
/// in big endian behind it.
std::vector<std::string> command_for(const fs::path& path) {
  return {"ffmpeg",
          "-nostdin",
          "-hide_banner",
          "-v",
          "error",
          "-xerror",
          "-protocol_whitelist",
          "file,pipe",
          "-format_whitelist",
          kFormats,
          "-i",
          "file:" + fs::absolute(path).string(),
          "-map",
          "0:a:0",
          "-vn",
          "-sn",
          "-dn",
          "-c:a",
          "pcm_f32be",
          "-f",
          "au",
          "pipe:1"};
}

std::uint32_t big_endian(const char* bytes) {
  std::array<unsigned char, 4> b{};
  std::memcpy(b.data(), bytes, 4);
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | std::uint32_t{b[3]};
}

bool begins_as_container(const fs::path& path) {
  std::array<char, 8> begin{};
  std::ifstream in(path, std::ios::binary);
  if (!in.read(begin.data(), begin.size())) { return false; }
  return std::memcmp(&begin[4], "ftyp", 4) == 0 || std::memcmp(begin.data(), "\x1A\x45\xDF\xA3", 4) == 0;
}

/// Reads AU as it comes in.
class AuStream {
 public:
  AuStream(std::string name, const TakeBlock& take) : name_(std::move(name)), take_(take) {}

  void add(std::span<const char> bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    if (info_.channels == 0 && !read_header()) { return; }
    const auto channels = static_cast<std::size_t>(info_.channels);
    const std::size_t frames = pending_.size() / (4 * channels);
    if (frames == 0) { return; }
    mono_.resize(frames);
    for (std::size_t frame = 0; frame < frames; ++frame) {
      float sum = 0;
      for (std::size_t channel = 0; channel < channels; ++channel) {
        const float value = std::bit_cast<float>(big_endian(pending_.data() + 4 * (frame * channels + channel)));
        sum = channel == 0 ? value : sum + value;
      }
      mono_[frame] = channels == 1 ? sum : sum / static_cast<float>(channels);
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(4 * channels * frames));
    info_.frames += static_cast<std::int64_t>(frames);
    take_(info_, mono_);
  }

  const AudioInfo& info() const { return info_; }

 private:
  /// Whether the header is whole. Throws Error when it is another one.
  bool read_header() {
    constexpr std::size_t kHeader = 24, kLongestHeader = 1 << 16;
    constexpr std::uint32_t kFloat32 = 6;
    if (pending_.size() < kHeader) { return false; }
    const std::uint32_t begin = big_endian(&pending_[4]), encoding = big_endian(&pending_[12]),
                        rate = big_endian(&pending_[16]), channels = big_endian(&pending_[20]);
    if (std::memcmp(pending_.data(), ".snd", 4) != 0 || begin < kHeader || begin > kLongestHeader ||
        encoding != kFloat32 || rate == 0 || rate > kMostRate || channels == 0 || channels > kMostChannels) {
      throw Error(str_cat("cannot read the sound file ", name_, ": what ffmpeg writes is no sound"), kSoundAdvice);
    }
    if (pending_.size() < begin) { return false; }
    pending_.erase(pending_.begin(), pending_.begin() + begin);
    info_.sample_rate = static_cast<int>(rate);
    info_.channels = static_cast<int>(channels);
    return true;
  }

  std::string name_;
  const TakeBlock& take_;
  AudioInfo info_;
  std::vector<char> pending_;
  std::vector<float> mono_;
};

/// Reads what is there; nothing at the end.
std::optional<std::span<const char>> read_some(int from, std::span<char> buffer) {
  ssize_t got = 0;
  do { got = ::read(from, buffer.data(), buffer.size()); } while (got < 0 && errno == EINTR);
  if (got <= 0) { return std::nullopt; }
  return buffer.first(static_cast<std::size_t>(got));
}

/// The beginning of what a program said: ffmpeg's first error is the cause of the others.
class FirstWords {
 public:
  void add(std::span<const char> bytes) {
    text_.append(bytes.data(), std::min(bytes.size(), kToldBytes - std::min(kToldBytes, text_.size())));
  }

  /// Its first line that says something, in plain characters and without the addresses in memory that it names.
  std::string line() const {
    std::string line;
    for (const char c : text_) {
      if (c == '\n' && !line.empty()) { break; }
      if (c < ' ' && c >= 0) { continue; }
      line += c > 0 && c < 127 ? c : '?';
    }
    while (!line.empty() && line.back() == ' ') { line.pop_back(); }
    for (auto at = line.find(" @ 0x"); at != std::string::npos; at = line.find(" @ 0x")) {
      line.erase(at, std::min(line.find_first_not_of("0123456789abcdef", at + 5), line.size()) - at);
    }
    return line.substr(0, 300);
  }

 private:
  std::string text_;
};

/// Lets `stream` have all that the child writes. False when it is silent or goes on for too long.
bool take_output(const Child& child, AuStream& stream, FirstWords& said) {
  std::vector<char> buffer(kBlockBytes);
  std::array<pollfd, 2> ready{{{child.output(), POLLIN, 0}, {child.errors(), POLLIN, 0}}};
  const auto deadline = Child::Clock::now() + kLongestRun;
  while (ready[0].fd >= 0 || ready[1].fd >= 0) {
    if (Child::Clock::now() > deadline) { return false; }
    const int events = ::poll(ready.data(), ready.size(), static_cast<int>(kSilence.count() * 1000));
    if (events < 0 && errno == EINTR) { continue; }
    if (events <= 0) { return false; }
    for (std::size_t i = 0; i < ready.size(); ++i) {
      if (ready[i].fd < 0 || ready[i].revents == 0) { continue; }
      const auto bytes = read_some(ready[i].fd, buffer);
      if (!bytes) {
        ready[i].fd = -1;
      } else if (i == 0) {
        stream.add(*bytes);
      } else {
        said.add(*bytes);
      }
    }
  }
  return true;
}

}  // namespace

AudioInfo decode_with_ffmpeg(const fs::path& path, const std::string& why, const TakeBlock& take) {
  auto child = Child::start(command_for(path), {}, Child::Errors::piped);
  if (!child) {
    throw Error(str_cat("cannot read the sound file ", path.string(), ": ", why,
                        " And there is no program ffmpeg in PATH, which reads m4a, aac, webm and the sound of videos."),
                str_cat("Install ffmpeg. Or: ", kSoundAdvice));
  }
  AuStream stream(path.string(), take);
  FirstWords said;
  const bool ended = take_output(*child, stream, said);
  if (!ended) {
    throw Error(str_cat("cannot read the sound file ", path.string(), ": ffmpeg said nothing for ", kSilence.count(),
                        " s, or went on for longer than ", kLongestRun.count(), " min"),
                kSoundAdvice);
  }
  if (!child->succeeds_until(Child::Clock::now() + kEnding)) {
    const std::string line = said.line();
    throw Error(str_cat("cannot read the sound file ", path.string(), ": ffmpeg fails",
                        line.empty() ? " without a word" : str_cat(": ", line)),
                kSoundAdvice);
  }
  if (const std::string line = said.line(); !line.empty()) {  // a file that ends early, for example
    throw Error(str_cat("the sound file ", path.string(), " is damaged: ffmpeg says: ", line), kSoundAdvice);
  }
  if (stream.info().frames == 0) {
    throw Error(str_cat("the sound file ", path.string(), " has no samples"), kSoundAdvice);
  }
  return stream.info();
}

bool is_for_ffmpeg(const fs::path& path) {
  std::string ending = path.extension().string();
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kEndings, ending) != std::end(kEndings) || begins_as_container(path);
}

}  // namespace mdl::worker::audio
