#include "launcher/status/status_screen.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher;
using namespace mdl::launcher::status;

TEST_CASE("a status is cut to the screen, and says what is left out") {
  CHECK(fit_screen("one\ntwo\n", 2, 10) == "one\ntwo\n");
  CHECK(fit_screen("one\ntwo\nthree\n", 2, 20) == "one\n(2 more lines)\n");
  CHECK(fit_screen("one\ntwo\nthree\n", 3, 20) == "one\ntwo\nthree\n");
  CHECK(fit_screen("a long line\nb\n", 5, 6) == "a long\nb\n");
  CHECK(fit_screen("1\n2\n3\n", 1, 4) == "(3 m\n");
  CHECK(fit_screen("", 3, 4).empty());
}
