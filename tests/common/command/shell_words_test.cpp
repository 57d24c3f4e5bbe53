#include "common/command/shell_words.hpp"

#include <catch2/catch.hpp>

using namespace mdl::command;

TEST_CASE("words are quoted as a shell takes them") {
  CHECK(shell_quoted("runs/a-1_b.csv") == "runs/a-1_b.csv");
  CHECK(shell_quoted("") == "''");
  CHECK(shell_quoted("it's $HOME; `x`") == "'it'\\''s $HOME; `x`'");
  CHECK(shell_command({"a", "b c"}) == "a 'b c'");
}
