#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace mdl::worker::text::tokenizer {

using TokenId = std::int32_t;

/// Byte-pair encoding of one word: its bytes are merged pair by pair, always the pair that was learnt first, and of
/// equal ones the leftmost (Sennrich et al. 2016). Immutable after set-up, so threads may share it.
class Bpe {
 public:
  struct Merge {
    std::int32_t rank;  ///< place in the list of merges
    TokenId result;     ///< the token that the pair becomes
  };

  /// `byte_tokens`: the token of each byte.
  explicit Bpe(const std::array<TokenId, 256>& byte_tokens) : byte_tokens_(byte_tokens) { reserve(0); }

  /// Room for that many merges; more may come.
  void reserve(std::size_t merges);
  /// The last one wins when a pair is added twice.
  void add_merge(TokenId left, TokenId right, Merge merge);

  /// Appends the tokens of `word` to `ids`. Takes n log n steps for n bytes.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

 private:
  struct Slot {
    TokenId left = -1;  // in a free slot
    TokenId right = -1;
    Merge merge{};
  };

  /// Where in slots_ the pair is, or the free slot where it belongs.
  std::size_t slot_of(TokenId left, TokenId right) const;
  const Merge* find(TokenId left, TokenId right) const;

  std::array<TokenId, 256> byte_tokens_;
  std::vector<Slot> slots_;  // a hash table with linear probing, two thirds full at most; its size is a power of 2
  std::size_t merges_ = 0;
};

}  // namespace mdl::worker::text::tokenizer
