#include "worker/text/tokenizer/added_tokens.hpp"

#include <algorithm>
#include <utility>

namespace mdl::worker::text::tokenizer {

void AddedTokens::add(std::string content, TokenId id) {
  if (content.empty()) { return; }
  auto& entries = by_first_byte_[static_cast<unsigned char>(content.front())];
  const auto place = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.content.size() < content.size(); });
  entries.insert(place, {std::move(content), id});
}

std::vector<AddedTokens::Piece> AddedTokens::split(std::string_view text) const {
  std::vector<Piece> pieces;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto& entries = by_first_byte_[static_cast<unsigned char>(text[at])];
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return text.substr(at, entry.content.size()) == entry.content;
    });
    if (found == entries.end()) {
      ++at;
      continue;
    }
    if (at > done) { pieces.push_back({text.substr(done, at - done), std::nullopt}); }
    pieces.push_back({text.substr(at, found->content.size()), found->id});
    done = at += found->content.size();
  }
  if (done < text.size()) { pieces.push_back({text.substr(done), std::nullopt}); }
  return pieces;
}

}  // namespace mdl::worker::text::tokenizer
