#include "worker/text/tokenizer/token_table.hpp"

#include <catch2/catch.hpp>

using mdl::worker::text::tokenizer::TokenTable;

TEST_CASE("tokens are found by text and by id, however many there are") {
  TokenTable table;  // nothing is reserved: it grows
  const auto text_of = [](int i) { return "token" + std::to_string(i); };
  for (int i = 0; i < 5000; ++i) { table.set(text_of(i), 3 * i, i % 2 == 1); }
  REQUIRE(table.size() == 5000);
  for (int i = 0; i < 5000; ++i) {
    REQUIRE(table.find(text_of(i)) == 3 * i);
    REQUIRE(table.at(3 * i));
    REQUIRE(table.at(3 * i)->text == text_of(i));
    REQUIRE(table.at(3 * i)->special == (i % 2 == 1));
    REQUIRE_FALSE(table.at(3 * i + 1));
  }
  CHECK_FALSE(table.find("token"));
  CHECK_FALSE(table.at(-1));
  CHECK_FALSE(table.at(TokenTable::kMaxId));
}

TEST_CASE("of two ids for a token, and of two tokens for an id, the last counts") {
  TokenTable table;
  table.set("a", 1);
  table.set("b", 1);
  table.set("a", 2, true);
  table.set("c", 3);
  table.set("c", 4);
  table.set("c", 4);
  CHECK(table.size() == 3);
  CHECK(table.find("a") == 2);
  CHECK(table.at(2)->special);
  CHECK(table.at(1)->text == "b");
  CHECK_FALSE(table.at(3));
  CHECK(table.at(4)->text == "c");
}

TEST_CASE("an empty table finds nothing, and an empty text is one like others") {
  TokenTable table;
  CHECK_FALSE(table.find(""));
  CHECK_FALSE(table.at(0));
  table.set("", 0);
  CHECK(table.find("") == 0);
  CHECK(table.at(0)->text.empty());
}
