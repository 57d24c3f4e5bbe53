#include "worker/audio/audio_file.hpp"

#include <fcntl.h>
#include <sndfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "worker/audio/resample.hpp"
#include "worker/audio/vorbis_clip.hpp"

namespace mdl {
namespace fs = std::filesystem;
namespace {

constexpr const char* kAdvice = "Convert it to wav, flac, ogg or mp3, or take its row out of the CSV file.";
constexpr sf_count_t kBlockFrames = 1 << 14;

using SoundFile = std::unique_ptr<SNDFILE, decltype(&sf_close)>;

/// A file in memory as libsndfile reads one.
struct MemoryFile {
  std::span<const char> bytes;
  sf_count_t at = 0;

  static MemoryFile& of(void* user) { return *static_cast<MemoryFile*>(user); }
  static sf_count_t length(void* user) { return std::ssize(of(user).bytes); }
  static sf_count_t tell(void* user) { return of(user).at; }
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    MemoryFile& file = of(user);
    const sf_count_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file.at : length(user);
    return file.at = std::clamp<sf_count_t>(base + offset, 0, length(user));
  }
  static sf_count_t read(void* to, sf_count_t count, void* user) {
    MemoryFile& file = of(user);
    const sf_count_t size = std::min(count, length(user) - file.at);
    std::memcpy(to, file.bytes.data() + file.at, static_cast<std::size_t>(size));
    file.at += size;
    return size;
  }
};

AudioInfo checked(SNDFILE* file, const SF_INFO& header, const std::string& name) {
  if (!file) throw Error(str_cat("cannot read the sound file ", name, ": ", sf_strerror(nullptr)), kAdvice);
  if (header.frames <= 0) throw Error(str_cat("the sound file ", name, " has no samples"), kAdvice);
  return {header.frames, header.samplerate, header.channels};
}

void require_file(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status))
    throw Error(str_cat("there is no sound file ", path.string()),
                "Paths are relative to --base-dir, or else to the current folder.");
  if (fs::is_directory(status)) throw Error(str_cat(path.string(), " is a folder, not a sound file"));
}

SoundFile open(const fs::path& path, SF_INFO& header) {
  require_file(path);
  return SoundFile(sf_open(path.c_str(), SFM_READ, &header), &sf_close);
}

/// The bytes of a file that VorbisClip may read; none when it is another or cannot be read, which libsndfile will tell.
std::vector<char> read_vorbis_clip(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size < VorbisClip::kRecognizedBytes || size > VorbisClip::kMaxBytes) return {};
  const auto read = [&](std::span<char> to) { return ::pread(file.get(), to.data(), to.size(), 0) == std::ssize(to); };
  std::array<char, VorbisClip::kRecognizedBytes> beginning{};
  if (!read(beginning) || !VorbisClip::recognizes(beginning)) return {};
  std::vector<char> bytes(size);
  return read(bytes) ? bytes : std::vector<char>();
}

/// Whether no sample is infinite or NaN.
bool all_numbers(std::span<const float> samples) {
  // A product with 0 is 0 for numbers only. Four sums at a time, as each addition waits for the one before.
  std::array<float, 4> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= samples.size(); i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) sums[lane] += samples[i + lane] * 0.0F;
  }
  for (; i < samples.size(); ++i) sums[0] += samples[i] * 0.0F;
  return sums[0] + sums[1] + sums[2] + sums[3] == 0.0F;
}

/// All frames as the mean of their channels.
std::vector<float> read_mono(SNDFILE* file, const AudioInfo& info, const std::string& name) {
  const auto channels = static_cast<std::size_t>(info.channels);
  std::vector<float> mono;
  // The header of a damaged file can promise anything.
  mono.reserve(static_cast<std::size_t>(std::min<std::int64_t>(info.frames, 1 << 26)));
  std::vector<float> block(static_cast<std::size_t>(std::min<std::int64_t>(info.frames, kBlockFrames)) * channels);
  const auto block_frames = static_cast<sf_count_t>(block.size() / channels);
  for (;;) {
    const sf_count_t frames = sf_readf_float(file, block.data(), block_frames);
    if (channels == 1) {
      mono.insert(mono.end(), block.begin(), block.begin() + frames);
    } else {
      for (std::size_t frame = 0; frame < static_cast<std::size_t>(frames); ++frame) {
        float sum = block[frame * channels];
        for (std::size_t channel = 1; channel < channels; ++channel) sum += block[frame * channels + channel];
        mono.push_back(sum / static_cast<float>(channels));
      }
    }
    if (frames < block_frames) break;
  }
  if (sf_error(file) != SF_ERR_NO_ERROR) {
    throw Error(str_cat("the sound file ", name, " is damaged after ", mono.size(), " of ", info.frames,
                        " frames: ", sf_strerror(file)),
                kAdvice);
  }
  if (mono.empty()) throw Error(str_cat("the sound file ", name, " has no samples"), kAdvice);
  return mono;
}

std::vector<float> at_rate(std::vector<float> mono, const AudioInfo& info, const std::string& name, int sample_rate) {
  if (!all_numbers(mono)) {
    const auto bad = std::find_if(mono.begin(), mono.end(), [](float sample) { return !std::isfinite(sample); });
    throw Error(str_cat("the sound file ", name, " holds a sample that is no number, in frame ", bad - mono.begin()),
                kAdvice);
  }
  if (info.sample_rate == sample_rate) return mono;
  std::vector<float> resampled = resample(mono, info.sample_rate, sample_rate);
  // Floats of 1e38 are numbers, but their sums are none.
  if (!all_numbers(resampled))
    throw Error(str_cat("the sound file ", name, " holds samples too large for a sound"), kAdvice);
  return resampled;
}

std::vector<float> load(SNDFILE* file, const SF_INFO& header, const std::string& name, int sample_rate) {
  const AudioInfo info = checked(file, header, name);
  return at_rate(read_mono(file, info, name), info, name, sample_rate);
}

}  // namespace

AudioInfo probe_audio(const fs::path& path) {
  if (const auto info = VorbisClip::probe(read_vorbis_clip(path))) return *info;
  SF_INFO header{};
  const SoundFile file = open(path, header);
  return checked(file.get(), header, path.string());
}

std::vector<float> load_audio(const fs::path& path, int sample_rate) {
  if (auto clip = VorbisClip::decode(read_vorbis_clip(path)))
    return at_rate(std::move(clip->samples), clip->info, path.string(), sample_rate);
  SF_INFO header{};
  const SoundFile file = open(path, header);
  return load(file.get(), header, path.string(), sample_rate);
}

std::vector<float> load_audio(std::span<const char> bytes, const std::string& name, int sample_rate) {
  if (bytes.size() <= VorbisClip::kMaxBytes && VorbisClip::recognizes(bytes)) {
    if (auto clip = VorbisClip::decode(bytes)) return at_rate(std::move(clip->samples), clip->info, name, sample_rate);
  }
  MemoryFile memory{bytes};
  SF_VIRTUAL_IO io{&MemoryFile::length, &MemoryFile::seek, &MemoryFile::read, nullptr, &MemoryFile::tell};
  SF_INFO header{};
  const SoundFile file(sf_open_virtual(&io, SFM_READ, &header, &memory), &sf_close);
  return load(file.get(), header, name, sample_rate);
}

std::int64_t resampled_length(const AudioInfo& info, int sample_rate) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(info.frames) * sample_rate / info.sample_rate));
}

}  // namespace mdl
