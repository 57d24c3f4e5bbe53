#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/text/tokenizer/bpe.hpp"

namespace mdl::worker::text::tokenizer {

/// Tokens such as <|im_start|> that are found in a text as they stand, before it is cut into words.
class AddedTokens {
 public:
  struct Piece {
    std::string_view text;
    std::optional<TokenId> token;  ///< set where the piece is an added token
  };

  void add(std::string content, TokenId id);

  /// `text` in pieces, in order: the leftmost token each time, and of those that begin there the longest.
  std::vector<Piece> split(std::string_view text) const;

 private:
  struct Entry {
    std::string content;
    TokenId id;
  };
  std::array<std::vector<Entry>, 256> by_first_byte_;  // the longest first
};

}  // namespace mdl::worker::text::tokenizer
