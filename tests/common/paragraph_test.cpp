#include "common/paragraph.hpp"

#include <catch2/catch.hpp>

using namespace mdl;

TEST_CASE("a text is broken at blanks, and each further line is indented") {
  CHECK(wrapped("one two three four", 9) == "one two\nthree\nfour");
  CHECK(wrapped("one two three four", 11, 2) == "one two\n  three\n  four");
  CHECK(wrapped("a_word_that_is_longer x", 5) == "a_word_that_is_longer\nx");
  CHECK(wrapped("", 5).empty());
}

TEST_CASE("line ends stay, and so does a line that begins with a blank") {
  CHECK(wrapped("one\n\ntwo three\n", 6) == "one\n\ntwo\nthree\n");
  CHECK(wrapped("  an example as it is\nnext", 6) == "  an example as it is\nnext");
}

TEST_CASE("letters are counted, not bytes") {
  CHECK(wrapped("äöü äöü", 7) == "äöü äöü");
}

TEST_CASE("the texts of rows stand in a column, and below a name that is too long for it") {
  const std::vector<HelpRow> rows = {
      {"-h, --help", "this text"}, {"--a-name-that-is-much-too-long-for-a-column N", "one two"}, {"", "a b"}};
  const std::size_t column = text_column(rows);
  CHECK(column == 14);
  CHECK(help_rows(rows, column, 20) ==
        "  -h, --help  this\n              text\n"
        "  --a-name-that-is-much-too-long-for-a-column N\n              one\n              two\n"
        "              a b\n");
}
