#include "worker/text/tokenizer/token_table.hpp"

#include <bit>
#include <functional>
#include <utility>

namespace mdl::worker::text::tokenizer {
namespace {

std::uint32_t hash_of(std::string_view text) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(text));
}

}  // namespace

void TokenTable::reserve(std::size_t tokens, std::size_t bytes) {
  bytes_.reserve(bytes);
  by_id_.reserve(tokens);
  grow(tokens);
}

std::size_t TokenTable::slot_of(std::string_view text, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.length == kFree) { return i; }
    if (slot.hash == hash && text_at(slot.begin, slot.length) == text) { return i; }
  }
}

void TokenTable::grow(std::size_t tokens) {
  const std::size_t size = std::bit_ceil(tokens + tokens / 2 + 16);
  if (size <= slots_.size()) { return; }
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(size, Slot{0, kFree, 0, 0}));
  for (const Slot& slot : old) {
    if (slot.length != kFree) { slots_[slot_of(text_at(slot.begin, slot.length), slot.hash)] = slot; }
  }
}

void TokenTable::set(std::string_view text, TokenId id, bool special) {
  if (size_ + size_ / 2 + 16 > slots_.size()) { grow(2 * size_); }
  const std::uint32_t hash = hash_of(text);
  Slot& slot = slots_[slot_of(text, hash)];
  if (slot.length == kFree) {
    slot = {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size()), id, hash};
    bytes_ += text;
    ++size_;
  } else if (const Place& old = by_id_[static_cast<std::size_t>(slot.id)];
             old.begin == slot.begin && old.length == slot.length) {
    by_id_[static_cast<std::size_t>(slot.id)] = {0, kFree, false};
  }
  slot.id = id;
  const auto place = static_cast<std::size_t>(id);
  if (place >= by_id_.size()) { by_id_.resize(place + 1, Place{0, kFree, false}); }
  by_id_[place] = {slot.begin, slot.length, special};
}

std::optional<TokenId> TokenTable::find(std::string_view text) const {
  if (slots_.empty()) { return std::nullopt; }
  const Slot& slot = slots_[slot_of(text, hash_of(text))];
  return slot.length == kFree ? std::nullopt : std::optional(slot.id);
}

std::optional<TokenTable::Token> TokenTable::at(TokenId id) const {
  if (id < 0 || static_cast<std::size_t>(id) >= by_id_.size()) { return std::nullopt; }
  const Place& place = by_id_[static_cast<std::size_t>(id)];
  if (place.length == kFree) { return std::nullopt; }
  return Token{text_at(place.begin, place.length), place.special};
}

}  // namespace mdl::worker::text::tokenizer
