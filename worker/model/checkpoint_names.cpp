#include "worker/model/checkpoint_names.hpp"

#include <algorithm>

#include "common/str_cat.hpp"

namespace mdl::worker::model {
namespace {

constexpr std::size_t kMostNamed = 20;

bool is_derived(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq");
}

}  // namespace

CheckpointNames::CheckpointNames(const std::vector<layers::OwnedSlot>& slots,
                                 const std::vector<std::string>& in_files) {
  std::set<std::string> left(in_files.begin(), in_files.end());
  for (const layers::OwnedSlot& owned : slots) {
    if (left.erase(owned.full_name) > 0) { filled_.insert(owned.full_name); }
  }
  unused_.assign(left.begin(), left.end());
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
