#include "worker/processor/label_mask.hpp"

#include <catch2/catch.hpp>

using mdl::worker::processor::label_mask;
using mdl::worker::text::tokenizer::TokenId;
using Labels = std::vector<std::int64_t>;

namespace {
// 1 2 opens a user's turn, 1 3 an assistant's.
const std::vector<TokenId> kUser{1, 2}, kAssistant{1, 3};

Labels mask(const std::vector<TokenId>& ids) {
  return label_mask(ids, kUser, kAssistant);
}
}  // namespace

TEST_CASE("an assistant's turn keeps its ids, header included, up to the end") {
  CHECK(mask({1, 2, 7, 1, 3, 8, 9}) == Labels{-100, -100, -100, 1, 3, 8, 9});
}

TEST_CASE("a turn ends where the next user's begins") {
  CHECK(mask({1, 3, 8, 1, 2, 7, 1, 3, 9}) == Labels{1, 3, 8, -100, -100, -100, 1, 3, 9});
}

TEST_CASE("a conversation without an assistant has no labels") {
  CHECK(mask({1, 2, 7}) == Labels{-100, -100, -100});
  CHECK(mask({}).empty());
}

TEST_CASE("a user's header ends one turn only") {
  CHECK(mask({1, 3, 8, 1, 3, 9, 1, 2, 7}) == Labels{1, 3, 8, 1, 3, 9, 1, 2, 7});
}
