#include "worker/model/checkpoint_names.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "common/str_cat.hpp"

namespace mdl::worker::model {
namespace {

constexpr std::size_t kMostNamed = 20;

struct Alias {
  std::string_view slot;
  std::string_view other;
};

/// The published model of today makes its front end of one module with two buffers, that of before of torchaudio's two.
constexpr auto kAliases = std::to_array<Alias>({
    {"audio_encoder.front_end.0.spectrogram.window", "audio_encoder.front_end.spectrogram_window"},
    {"audio_encoder.front_end.0.spectrogram.window", "audio_encoder.front_end.0.spectrogram_window"},
    {"audio_encoder.front_end.0.mel_scale.fb", "audio_encoder.front_end.melscale_fbanks"},
    {"audio_encoder.front_end.0.mel_scale.fb", "audio_encoder.front_end.0.melscale_fbanks"},
});

std::optional<std::string> find_name(const std::string& slot, const std::set<std::string>& in_files) {
  if (in_files.contains(slot)) { return slot; }
  for (const auto& [own, other] : kAliases) {
    if (own == slot && in_files.contains(std::string(other))) { return std::string(other); }
  }
  return std::nullopt;
}

bool is_derived(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq");
}

}  // namespace

CheckpointNames::CheckpointNames(const std::vector<layers::OwnedSlot>& slots,
                                 const std::vector<std::string>& in_files) {
  std::set<std::string> left(in_files.begin(), in_files.end());
  for (const layers::OwnedSlot& owned : slots) {
    if (const auto name = find_name(owned.full_name, left)) {
      by_slot_.emplace(owned.full_name, *name);
      left.erase(*name);
    }
  }
  unused_.assign(left.begin(), left.end());
}

std::optional<std::string> CheckpointNames::find(const std::string& slot) const {
  const auto found = by_slot_.find(slot);
  return found == by_slot_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> CheckpointNames::tell_unused() const {
  std::vector<std::string> told;
  std::ranges::remove_copy_if(unused_, std::back_inserter(told), is_derived);
  if (told.empty()) { return std::nullopt; }
  std::string text =
      str_cat(told.size(), told.size() == 1 ? " tensor of the checkpoint is" : " tensors of the checkpoint are",
              " no part of the model that config.json describes, and not used:");
  for (std::size_t i = 0; i < told.size() && i < kMostNamed; ++i) { text += str_cat(i == 0 ? " " : ", ", told[i]); }
  if (told.size() > kMostNamed) { text += str_cat(" and ", told.size() - kMostNamed, " more"); }
  return text;
}

}  // namespace mdl::worker::model
