#pragma once

#include <vorbis/codec.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::audio {

/// What the setup header of a Vorbis stream makes: codebooks and decoders for them. To build them takes as long as to
/// decode a second of sound, and all files of one encoder and quality have the same header, so they are kept and
/// shared. Several threads may use one.
class VorbisSetup {
 public:
  /// The setup of a stream with these three header packets: one that is kept, or a new one. Nothing when libvorbis
  /// refuses a header.
  static std::shared_ptr<VorbisSetup> of(ogg_packet identification, ogg_packet comment, ogg_packet setup);

  /// libvorbis takes it as not constant, but only reads it once a decoder has been made.
  vorbis_info* info() { return &info_; }

  /// libvorbis's state of one stream, at its beginning.
  class Decoder {
   public:
    /// Throws Error when the codebooks make no sense.
    explicit Decoder(vorbis_info* info);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    vorbis_dsp_state state{};
    vorbis_block block{};
  };

  /// A decoder for one stream; give it back afterwards.
  std::unique_ptr<Decoder> take_decoder();
  void give_back(std::unique_ptr<Decoder> decoder) noexcept;

  ~VorbisSetup();
  VorbisSetup(const VorbisSetup&) = delete;
  VorbisSetup& operator=(const VorbisSetup&) = delete;

 private:
  explicit VorbisSetup(std::string key) : key_(std::move(key)) { vorbis_info_init(&info_); }

  const std::string key_;  // the headers
  vorbis_info info_{};
  std::mutex mutex_;
  std::size_t made_ = 0;
  std::vector<std::unique_ptr<Decoder>> idle_;  // has room for all that were made
};

}  // namespace mdl::worker::audio
