#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/text/tokenizer/bpe.hpp"

namespace mdl::worker::text::tokenizer {

/// The tokens of a vocabulary, found by their text and by their id. A vocabulary has 150,000 of them and is read at the
/// start of every command, so all texts lie in one string and the tables are flat: nothing is allocated for a token.
class TokenTable {
 public:
  /// Ids are indices into a table, so they must not be huge.
  static constexpr TokenId kMaxId = (1 << 24) - 1;

  /// Room for that many tokens with that many bytes in all; more may come.
  void reserve(std::size_t tokens, std::size_t bytes);

  /// Gives `text` the id `id`, which must be in [0, kMaxId], and the id that text. The last call wins: an id that
  /// `text` had before stands for nothing.
  void set(std::string_view text, TokenId id, bool special = false);

  std::optional<TokenId> find(std::string_view text) const;

  struct Token {
    std::string_view text;  ///< valid until the next set()
    bool special;
  };
  /// The token of an id, if any.
  std::optional<Token> at(TokenId id) const;

  /// Number of texts.
  std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t begin;   // in bytes_
    std::uint32_t length;  // kFree in a free slot
    TokenId id;
    std::uint32_t hash;  // so that another text is seldom looked at
  };
  struct Place {
    std::uint32_t begin;
    std::uint32_t length;  // kFree where no token has the id
    bool special;
  };
  static constexpr std::uint32_t kFree = 0xFFFFFFFF;

  std::string_view text_at(std::uint32_t begin, std::uint32_t length) const {
    return std::string_view(bytes_).substr(begin, length);
  }
  /// The index of the slot with the text, or of the free one where it belongs.
  std::size_t slot_of(std::string_view text, std::uint32_t hash) const;
  void grow(std::size_t tokens);

  std::string bytes_;  // of all texts
  std::size_t size_ = 0;
  std::vector<Slot> slots_;  // a hash table with linear probing, two thirds full at most; its size is a power of 2
  std::vector<Place> by_id_;
};

}  // namespace mdl::worker::text::tokenizer
