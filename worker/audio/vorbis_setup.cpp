#include "worker/audio/vorbis_setup.hpp"

#include <algorithm>

#include "common/error.hpp"

namespace mdl::worker::audio {
namespace {

constexpr std::size_t kKept = 16;  // half a megabyte each at most

std::string_view bytes_of(const ogg_packet& packet) {
  return {reinterpret_cast<const char*>(packet.packet), static_cast<std::size_t>(packet.bytes)};
}

class Comment {
 public:
  Comment() { vorbis_comment_init(&comment_); }
  ~Comment() { vorbis_comment_clear(&comment_); }
  Comment(const Comment&) = delete;
  Comment& operator=(const Comment&) = delete;
  vorbis_comment* get() { return &comment_; }

 private:
  vorbis_comment comment_{};
};

}  // namespace

VorbisSetup::Decoder::Decoder(vorbis_info* info) {
  if (vorbis_synthesis_init(&state, info) != 0) { throw Error("libvorbis refuses the codebooks of a stream"); }
  vorbis_block_init(&state, &block);
}

VorbisSetup::Decoder::~Decoder() {
  vorbis_block_clear(&block);
  vorbis_dsp_clear(&state);
}

VorbisSetup::~VorbisSetup() {
  idle_.clear();  // they refer to info_
  vorbis_info_clear(&info_);
}

std::shared_ptr<VorbisSetup> VorbisSetup::of(ogg_packet identification, ogg_packet comment, ogg_packet setup) {
  static std::mutex mutex;
  static std::vector<std::shared_ptr<VorbisSetup>> kept;  // the latest last

  std::string key(bytes_of(identification));
  key += bytes_of(setup);
  std::shared_ptr<VorbisSetup> made(new VorbisSetup(std::move(key)));
  Comment comments;
  if (vorbis_synthesis_headerin(&made->info_, comments.get(), &identification) != 0 ||
      vorbis_synthesis_headerin(&made->info_, comments.get(), &comment) != 0) {
    return nullptr;
  }
  const auto find = [&] {
    return std::find_if(kept.begin(), kept.end(), [&](const auto& one) { return one->key_ == made->key_; });
  };
  {
    const std::lock_guard lock(mutex);
    if (const auto found = find(); found != kept.end()) { return *found; }
  }
  if (vorbis_synthesis_headerin(&made->info_, comments.get(), &setup) != 0) { return nullptr; }
  try {
    made->give_back(made->take_decoder());  // the first one builds the codebooks in info_
  } catch (const Error&) { return nullptr; }
  const std::lock_guard lock(mutex);
  if (const auto found = find(); found != kept.end()) {
    return *found;  // another thread was faster
  }
  if (kept.size() == kKept) { kept.erase(kept.begin()); }
  kept.push_back(made);
  return made;
}

std::unique_ptr<VorbisSetup::Decoder> VorbisSetup::take_decoder() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto decoder = std::move(idle_.back());
      idle_.pop_back();
      return decoder;
    }
    idle_.reserve(++made_);
  }
  return std::make_unique<Decoder>(&info_);
}

void VorbisSetup::give_back(std::unique_ptr<Decoder> decoder) noexcept {
  vorbis_synthesis_restart(&decoder->state);
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(decoder));
}

}  // namespace mdl::worker::audio
