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
#include <optional>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"
#include "worker/audio/ffmpeg.hpp"
#include "worker/audio/sound_builder.hpp"
#include "worker/audio/vorbis_clip.hpp"

namespace mdl::worker::audio {
namespace fs = std::filesystem;
namespace {

constexpr sf_count_t kBlockFrames = 1 << 14;

/// Frames of a byte that a header is believed: speech at Opus' lowest rate. Silence, of which FLAC and Opus make
/// thousands a byte, is counted.
constexpr std::int64_t kCredibleFrames = 64;

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

/// Whether the libsndfile that was loaded reads mp3. Its number in the headers is as young as that.
bool library_reads_mp3() {
  constexpr int kMpeg = 0x230000;
  int count = 0;
  ::sf_command(nullptr, SFC_GET_FORMAT_MAJOR_COUNT, &count, sizeof count);
  for (int i = 0; i < count; ++i) {
    SF_FORMAT_INFO info{};
    info.format = i;
    if (::sf_command(nullptr, SFC_GET_FORMAT_MAJOR, &info, sizeof info) == 0 && info.format == kMpeg) { return true; }
  }
  return false;
}

AudioInfo checked(SNDFILE* file, const SF_INFO& header, const std::string& name) {
  if (!file) {
    const std::string why = sf_strerror(nullptr);  // before it is asked anything else
    throw Error(str_cat("cannot read the sound file ", name, ": ", why),
                unknown_sound_advice(library_reads_mp3(), sf_version_string()));
  }
  if (header.frames <= 0) { throw Error(str_cat("the sound file ", name, " has no samples"), kSoundAdvice); }
  return {header.frames, header.samplerate, header.channels};
}

/// Why libsndfile could not open a file that ffmpeg may know; nothing where it could, or it is for nobody.
std::optional<std::string> reason_for_ffmpeg(SNDFILE* file, const fs::path& path) {
  if (file) { return std::nullopt; }
  const std::string why = sf_strerror(nullptr);
  return is_for_ffmpeg(path) ? std::optional(why) : std::nullopt;
}

SoundFile open(const fs::path& path, SF_INFO& header) {
  require_file(path);
  return SoundFile(sf_open(path.c_str(), SFM_READ, &header), &sf_close);
}

/// The bytes of a file that VorbisClip may read; none when it is another or cannot be read, which libsndfile will tell.
std::vector<char> read_vorbis_clip(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) { return {}; }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size < VorbisClip::kRecognizedBytes || size > VorbisClip::kMaxBytes) { return {}; }
  const auto read = [&](std::span<char> to) { return ::pread(file.get(), to.data(), to.size(), 0) == std::ssize(to); };
  std::array<char, VorbisClip::kRecognizedBytes> beginning{};
  if (!read(beginning) || !VorbisClip::recognizes(beginning)) { return {}; }
  std::vector<char> bytes(size);
  return read(bytes) ? bytes : std::vector<char>();
}

/// Calls `use` with all frames, block by block, as the mean of their channels. Returns how many there are.
template <typename Use>
std::int64_t for_each_block(SNDFILE* file, const AudioInfo& info, const std::string& name, const Use& use) {
  const auto channels = static_cast<std::size_t>(info.channels);
  std::vector<float> block(static_cast<std::size_t>(std::min<std::int64_t>(info.frames, kBlockFrames)) * channels);
  const auto block_frames = static_cast<sf_count_t>(block.size() / channels);
  std::int64_t all = 0;
  for (sf_count_t frames = block_frames; frames == block_frames;) {
    frames = sf_readf_float(file, block.data(), block_frames);
    for (std::size_t frame = 0; channels > 1 && frame < static_cast<std::size_t>(frames); ++frame) {
      float sum = block[frame * channels];
      for (std::size_t channel = 1; channel < channels; ++channel) { sum += block[frame * channels + channel]; }
      block[frame] = sum / static_cast<float>(channels);
    }
    all += frames;
    use(std::span<const float>(block.data(), static_cast<std::size_t>(frames)));
  }
  if (sf_error(file) != SF_ERR_NO_ERROR) {
    throw Error(str_cat("the sound file ", name, " is damaged after ", all, " frames: ", sf_strerror(file)),
                kSoundAdvice);
  }
  return all;
}

/// The length of a file of so many bytes. Its header may promise anything, and has no length where the file was written
/// to a pipe; what it cannot well hold is counted.
AudioInfo measured(SNDFILE* file, const SF_INFO& header, const std::string& name, std::uintmax_t bytes) {
  AudioInfo info = checked(file, header, name);
  if (info.frames / kCredibleFrames > static_cast<std::int64_t>(bytes)) {
    std::int64_t counted = 0;
    info.frames = for_each_block(file, info, name, [&](std::span<const float> block) {
      counted += std::ssize(block);
      require_length(counted, info.sample_rate, name);
    });
    if (info.frames == 0) { throw Error(str_cat("the sound file ", name, " has no samples"), kSoundAdvice); }
  }
  require_length(info.frames, info.sample_rate, name);
  return info;
}

std::vector<float> load(SNDFILE* file, const SF_INFO& header, const std::string& name, int sample_rate) {
  const AudioInfo info = checked(file, header, name);
  SoundBuilder sound(info.sample_rate, sample_rate, name);
  for_each_block(file, info, name, [&](std::span<const float> block) { sound.add(block); });
  return sound.finish();
}

std::vector<float> load_by_ffmpeg(const fs::path& path, const std::string& why, int sample_rate) {
  std::optional<SoundBuilder> sound;
  decode_with_ffmpeg(path, why, [&](const AudioInfo& info, std::span<const float> mono) {
    if (!sound) { sound.emplace(info.sample_rate, sample_rate, path.string()); }
    sound->add(mono);
  });
  return sound->finish();
}

std::vector<float> from_clip(const VorbisClip::Mono& clip, const std::string& name, int sample_rate) {
  SoundBuilder sound(clip.info.sample_rate, sample_rate, name);
  sound.add(clip.samples);
  return sound.finish();
}

}  // namespace

std::string unknown_sound_advice(bool reads_mp3, const std::string& version) {
  if (reads_mp3) { return kSoundAdvice; }
  return str_cat("This machine's ", version, " reads no mp3; 1.1 and newer do. ",
                 "Convert it to wav, flac or ogg, or take its row out of the file.");
}

void require_file(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw Error(str_cat("there is no sound file ", path.string()),
                "Paths are relative to --base-dir, or else to the current folder.");
  }
  if (const std::string other = describe_no_file(path); !other.empty()) {
    throw Error(str_cat(path.string(), " is ", other, ", not a sound file"));
  }
}

AudioInfo probe_audio(const fs::path& path) {
  if (const auto info = VorbisClip::probe(read_vorbis_clip(path))) {
    require_length(info->frames, info->sample_rate, path.string());
    return *info;
  }
  SF_INFO header{};
  const SoundFile file = open(path, header);
  if (const auto why = reason_for_ffmpeg(file.get(), path)) {
    return decode_with_ffmpeg(path, *why, [&](const AudioInfo& info, std::span<const float>) {
      require_length(info.frames, info.sample_rate, path.string());
    });
  }
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return measured(file.get(), header, path.string(), error ? 0 : bytes);
}

std::vector<float> load_audio(const fs::path& path, int sample_rate) {
  if (const auto clip = VorbisClip::decode(read_vorbis_clip(path))) {
    return from_clip(*clip, path.string(), sample_rate);
  }
  SF_INFO header{};
  const SoundFile file = open(path, header);
  if (const auto why = reason_for_ffmpeg(file.get(), path)) { return load_by_ffmpeg(path, *why, sample_rate); }
  return load(file.get(), header, path.string(), sample_rate);
}

std::vector<float> load_audio(std::span<const char> bytes, const std::string& name, int sample_rate) {
  if (bytes.size() <= VorbisClip::kMaxBytes && VorbisClip::recognizes(bytes)) {
    if (const auto clip = VorbisClip::decode(bytes)) { return from_clip(*clip, name, sample_rate); }
  }
  MemoryFile memory{bytes};
  SF_VIRTUAL_IO io{&MemoryFile::length, &MemoryFile::seek, &MemoryFile::read, nullptr, &MemoryFile::tell};
  SF_INFO header{};
  const SoundFile file(sf_open_virtual(&io, SFM_READ, &header, &memory), &sf_close);
  if (!file && is_for_ffmpeg(name)) {
    throw Error(str_cat("cannot read the sound file ", name, ": ", sf_strerror(nullptr)),
                "Such a file is read by the program ffmpeg, which gets local files alone. Fetch it and give its path.");
  }
  return load(file.get(), header, name, sample_rate);
}

std::int64_t resampled_length(const AudioInfo& info, int sample_rate) {
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(info.frames) * sample_rate / info.sample_rate));
}

}  // namespace mdl::worker::audio
