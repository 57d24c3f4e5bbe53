#include "worker/text/tokenizer/bpe.hpp"

#include <bit>
#include <queue>
#include <tuple>
#include <utility>

namespace mdl::worker::text::tokenizer {
namespace {

/// A part of the word; parts form a list, and one that was merged into its left neighbour has token -1.
struct Part {
  TokenId token;
  int previous;
  int next;
};

struct Candidate {
  std::int32_t rank;
  int left;
  TokenId result;
  bool operator>(const Candidate& other) const { return std::tie(rank, left) > std::tie(other.rank, other.left); }
};

}  // namespace

std::size_t Bpe::slot_of(TokenId left, TokenId right) const {
  const std::uint64_t pair =
      static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  const std::size_t mask = slots_.size() - 1;
  // Fibonacci hashing: the upper half of a product with 2^64 / the golden ratio depends on all bits of the pair.
  std::size_t slot = ((pair * 0x9E3779B97F4A7C15ULL) >> 32) & mask;
  while (slots_[slot].left >= 0 && (slots_[slot].left != left || slots_[slot].right != right)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

void Bpe::reserve(std::size_t merges) {
  const std::size_t size = std::bit_ceil(merges + merges / 2 + 16);
  if (size <= slots_.size()) { return; }
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(size));
  for (const Slot& slot : old) {
    if (slot.left >= 0) { slots_[slot_of(slot.left, slot.right)] = slot; }
  }
}

void Bpe::add_merge(TokenId left, TokenId right, Merge merge) {
  if (merges_ + merges_ / 2 + 16 > slots_.size()) { reserve(2 * merges_); }
  Slot& slot = slots_[slot_of(left, right)];
  merges_ += slot.left < 0;
  slot = {left, right, merge};
}

const Bpe::Merge* Bpe::find(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(left, right)];
  return slot.left < 0 ? nullptr : &slot.merge;
}

void Bpe::encode(std::string_view word, std::vector<TokenId>& ids) const {
  const int size = static_cast<int>(word.size());
  std::vector<Part> parts;
  parts.reserve(word.size());
  for (int i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    parts.push_back({byte_tokens_[byte], i - 1, i + 1 < size ? i + 1 : -1});
  }
  const auto at = [&](int i) -> Part& { return parts[static_cast<std::size_t>(i)]; };

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](int left) {
    if (left < 0 || at(left).next < 0) { return; }
    if (const Merge* merge = find(at(left).token, at(at(left).next).token)) {
      candidates.push({merge->rank, left, merge->result});
    }
  };
  for (int i = 0; i < size; ++i) { consider(i); }

  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Part& left = at(best.left);
    if (left.token < 0 || left.next < 0) { continue; }
    Part& right = at(left.next);
    // The parts may have changed since the candidate was found.
    const Merge* merge = find(left.token, right.token);
    if (!merge || merge->result != best.result) { continue; }
    left.token = best.result;
    right.token = -1;
    left.next = right.next;
    if (left.next >= 0) { at(left.next).previous = best.left; }
    consider(left.previous);
    consider(best.left);
  }
  for (const Part& part : parts) {
    if (part.token >= 0) { ids.push_back(part.token); }
  }
}

}  // namespace mdl::worker::text::tokenizer
