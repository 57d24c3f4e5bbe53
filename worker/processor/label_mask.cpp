#include "worker/processor/label_mask.hpp"

#include <algorithm>

#include "worker/dataset/label.hpp"

namespace mdl::worker::processor {
namespace {

std::vector<std::size_t> places_of(std::span<const text::tokenizer::TokenId> part,
                                   std::span<const text::tokenizer::TokenId> ids) {
  std::vector<std::size_t> places;
  if (part.empty()) { return places; }
  for (auto at = ids.begin(); (at = std::search(at, ids.end(), part.begin(), part.end())) != ids.end(); ++at) {
    places.push_back(static_cast<std::size_t>(at - ids.begin()));
  }
  return places;
}

}  // namespace

std::vector<std::int64_t> label_mask(std::span<const text::tokenizer::TokenId> ids,
                                     std::span<const text::tokenizer::TokenId> user_start,
                                     std::span<const text::tokenizer::TokenId> assistant_start) {
  std::vector<std::int64_t> labels(ids.size(), dataset::kIgnoredLabel);
  const auto users = places_of(user_start, ids);
  auto user = users.begin();
  for (const std::size_t begin : places_of(assistant_start, ids)) {
    user = std::find_if(user, users.end(), [&](std::size_t place) { return place > begin; });
    const std::size_t end = user == users.end() ? ids.size() : *user++;
    std::copy(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(end),
              labels.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  return labels;
}

}  // namespace mdl::worker::processor
