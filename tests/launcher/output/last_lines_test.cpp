#include "launcher/output/last_lines.hpp"

#include <catch2/catch.hpp>

#include "common/str_cat.hpp"

using mdl::launcher::output::LastLines;
using Words = std::vector<std::string>;

TEST_CASE("lines are kept whole however they arrive") {
  LastLines last;
  for (const char* piece : {"fir", "st\nsec", "ond\n", "unfin", "ished"}) { last.feed(piece); }
  CHECK(last.lines() == Words{"first", "second", "unfinished"});
}

TEST_CASE("only the last lines are kept, and of a long line its beginning") {
  LastLines last;
  for (int i = 0; i < 1000; ++i) { last.feed(mdl::str_cat("line ", i, "\n")); }
  REQUIRE(last.lines().size() == LastLines::kLines);
  CHECK(last.lines().back() == "line 999");
  last.feed(std::string(1 << 20, 'x'));
  CHECK(last.lines().size() == LastLines::kLines);
  CHECK(last.lines().back().size() == LastLines::kLineBytes);
}

TEST_CASE("a progress bar leaves its last drawing") {
  LastLines last;
  last.feed("10%\r50%\r");
  last.feed("99%\nerror\r\n");
  CHECK(last.lines() == Words{"99%", "error"});
}

TEST_CASE("empty lines at the end are left out") {
  LastLines last;
  last.feed("a\n\nb\n\n\n");
  CHECK(last.lines() == Words{"a", "", "b"});
}
