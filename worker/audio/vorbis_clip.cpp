#include "worker/audio/vorbis_clip.hpp"

#include <ogg/ogg.h>

#include <array>
#include <cstring>
#include <string_view>

#include "worker/audio/vorbis_setup.hpp"

namespace mdl::worker::audio {
namespace {

/// Six minutes at 44,100 a second. A file made to do harm holds hours of nothing in a megabyte.
constexpr std::size_t kMaxFrames = 1 << 24;

/// The pages of a file in memory, as long as they follow each other without a gap.
class Pages {
 public:
  explicit Pages(std::span<const char> bytes) : left_(static_cast<long>(bytes.size())) {
    ogg_sync_init(&sync_);
    std::memcpy(ogg_sync_buffer(&sync_, left_), bytes.data(), bytes.size());
    ogg_sync_wrote(&sync_, left_);
  }
  ~Pages() { ogg_sync_clear(&sync_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  /// False at the end and where no whole page with the right checksum follows.
  bool next(ogg_page& page) {
    if (ogg_sync_pageout(&sync_, &page) != 1) { return false; }
    left_ -= page.header_len + page.body_len;
    return true;
  }
  bool at_end() const { return left_ == 0; }

 private:
  ogg_sync_state sync_{};
  long left_;
};

/// The packets of a stream's pages.
class Packets {
 public:
  Packets() { ogg_stream_init(&stream_, 0); }
  ~Packets() { ogg_stream_clear(&stream_); }
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;

  /// Only pages with this serial number will be taken.
  void begin(int serial) { ogg_stream_reset_serialno(&stream_, serial); }
  bool add(ogg_page& page) { return ogg_stream_pagein(&stream_, &page) == 0; }
  /// 1: a packet; 0: the next page is needed; -1: something is missing.
  int next(ogg_packet& packet) { return ogg_stream_packetout(&stream_, &packet); }

 private:
  ogg_stream_state stream_{};
};

/// Gives back on every way out.
class BorrowedDecoder {
 public:
  explicit BorrowedDecoder(VorbisSetup& setup) : setup_(setup), decoder_(setup.take_decoder()) {}
  ~BorrowedDecoder() { setup_.give_back(std::move(decoder_)); }
  BorrowedDecoder(const BorrowedDecoder&) = delete;
  BorrowedDecoder& operator=(const BorrowedDecoder&) = delete;
  VorbisSetup::Decoder* operator->() { return decoder_.get(); }

 private:
  VorbisSetup& setup_;
  std::unique_ptr<VorbisSetup::Decoder> decoder_;
};

/// A stream that is being read. Everything returns false as soon as the file is not as it should be.
class Stream {
 public:
  explicit Stream(std::span<const char> bytes) : pages_(bytes) {}

  /// The three headers, which end with a page.
  bool read_headers() {
    if (!pages_.next(page_) || !ogg_page_bos(&page_) || ogg_page_eos(&page_)) { return false; }
    serial_ = ogg_page_serialno(&page_);
    packets_.begin(serial_);
    if (!packets_.add(page_)) { return false; }
    // libogg's packets are valid until the next page comes.
    std::array<std::string, 3> headers;
    std::array<ogg_packet, 3> packets{};
    for (std::size_t i = 0; i < headers.size(); ++i) {
      int found = 0;
      while ((found = packets_.next(packets[i])) == 0) {
        if (!next_page()) { return false; }
      }
      if (found < 0) { return false; }
      headers[i].assign(reinterpret_cast<char*>(packets[i].packet), static_cast<std::size_t>(packets[i].bytes));
    }
    ogg_packet more{};
    if (packets_.next(more) != 0) { return false; }
    for (std::size_t i = 0; i < headers.size(); ++i) {
      packets[i].packet = reinterpret_cast<unsigned char*>(headers[i].data());
    }
    setup_ = VorbisSetup::of(packets[0], packets[1], packets[2]);
    return setup_ != nullptr;
  }

  /// Calls `use(packet)` for every packet of sound, up to the stream's end. `use` returns false to end it.
  template <typename Use>
  bool for_each_packet(const Use& use) {
    ogg_packet packet{};
    for (;;) {
      const int found = packets_.next(packet);
      if (found < 0) { return false; }
      if (found == 1) {
        if (!use(packet)) { return false; }
      } else if (pages_.at_end()) {
        return frames_ > 0;
      } else if (!next_page()) {
        return false;
      }
    }
  }

  /// Whether the packets' sound begins at sample 0 and is as long as the last page says. Up to the end of the first
  /// page that says how far it comes, there are as many samples as it says; or more, when that page is the stream's
  /// last and cuts the rest off.
  bool is_whole() {
    std::int64_t samples = 0;
    long before = -1;
    bool decided = false, at_zero = false;
    const bool whole = for_each_packet([&](ogg_packet& packet) {
      const long block = vorbis_packet_blocksize(setup_->info(), &packet);
      if (block < 0) { return false; }
      if (before >= 0) { samples += (before + block) / 4; }
      before = block;
      if (packet.granulepos >= 0 && !decided) {
        decided = true;
        at_zero = packet.e_o_s ? packet.granulepos <= samples : packet.granulepos == samples;
      }
      return true;
    });
    return whole && at_zero && frames_ <= samples;
  }

  AudioInfo info() { return {frames_, static_cast<int>(setup_->info()->rate), setup_->info()->channels}; }
  VorbisSetup& setup() { return *setup_; }

 private:
  bool next_page() {
    if (ended_ || !pages_.next(page_) || ogg_page_bos(&page_) || ogg_page_serialno(&page_) != serial_) { return false; }
    ended_ = ogg_page_eos(&page_) != 0;
    if (ended_) {
      if (!pages_.at_end()) { return false; }
      frames_ = ogg_page_granulepos(&page_);
    }
    return packets_.add(page_);
  }

  Pages pages_;
  ogg_page page_{};
  int serial_ = 0;
  Packets packets_;
  std::shared_ptr<VorbisSetup> setup_;
  std::int64_t frames_ = 0;  // known with the last page
  bool ended_ = false;
};

void append_mean(float* const* channels, std::size_t count, std::size_t frames, std::vector<float>& mono) {
  const std::size_t begin = mono.size();
  mono.insert(mono.end(), channels[0], channels[0] + frames);
  if (count == 1) { return; }
  float* out = mono.data() + begin;
  for (std::size_t channel = 1; channel < count; ++channel) {
    for (std::size_t frame = 0; frame < frames; ++frame) { out[frame] += channels[channel][frame]; }
  }
  for (std::size_t frame = 0; frame < frames; ++frame) { out[frame] /= static_cast<float>(count); }
}

}  // namespace

bool VorbisClip::recognizes(std::span<const char> beginning) {
  const std::string_view text(beginning.data(), beginning.size());
  return text.starts_with("OggS") && text.substr(0, kRecognizedBytes).ends_with("\x01vorbis");
}

std::optional<AudioInfo> VorbisClip::probe(std::span<const char> bytes) {
  if (bytes.empty()) { return std::nullopt; }
  Stream stream(bytes);
  if (!stream.read_headers() || !stream.is_whole()) { return std::nullopt; }
  return stream.info();
}

std::optional<VorbisClip::Mono> VorbisClip::decode(std::span<const char> bytes) {
  if (bytes.empty()) { return std::nullopt; }
  Stream stream(bytes);
  if (!stream.read_headers()) { return std::nullopt; }
  BorrowedDecoder decoder(stream.setup());
  const auto channels = static_cast<std::size_t>(stream.setup().info()->channels);
  Mono mono;
  const bool whole = stream.for_each_packet([&](ogg_packet& packet) {
    if (vorbis_synthesis(&decoder->block, &packet) != 0) { return false; }
    vorbis_synthesis_blockin(&decoder->state, &decoder->block);
    float** samples = nullptr;
    while (const int frames = vorbis_synthesis_pcmout(&decoder->state, &samples)) {
      append_mean(samples, channels, static_cast<std::size_t>(frames), mono.samples);
      vorbis_synthesis_read(&decoder->state, frames);
    }
    return mono.samples.size() <= kMaxFrames;
  });
  mono.info = stream.info();
  if (!whole || std::ssize(mono.samples) != mono.info.frames) { return std::nullopt; }
  return mono;
}

}  // namespace mdl::worker::audio
