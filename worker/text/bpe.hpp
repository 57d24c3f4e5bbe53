#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mdl {

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
  explicit Bpe(const std::array<TokenId, 256>& byte_tokens) : byte_tokens_(byte_tokens) {}

  void reserve(std::size_t merges) { merges_.reserve(merges); }
  /// The last one wins when a pair is added twice.
  void add_merge(TokenId left, TokenId right, Merge merge) { merges_[key(left, right)] = merge; }

  /// Appends the tokens of `word` to `ids`. Takes n log n steps for n bytes.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

 private:
  static std::uint64_t key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  const Merge* find(TokenId left, TokenId right) const;

  std::array<TokenId, 256> byte_tokens_;
  std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace mdl
