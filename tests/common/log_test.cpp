#include "common/log.hpp"

#include <catch2/catch.hpp>

using mdl::log::escaped;

TEST_CASE("what is told cannot steer a terminal") {
  CHECK(escaped("a\tb\nc") == "a\tb\nc");
  CHECK(escaped("x\x1b[31m\x07\x7f\r") == "x\\x1b[31m\\x07\\x7f\\x0d");
  CHECK(escaped("\u009b1m") == "\\xc2\\x9b1m");
  CHECK(escaped("evil\u202etxt") == "evil\\xe2\\x80\\xaetxt");
  CHECK(escaped("n\u00e4me \u58f0\u97f3 \xff") == "n\u00e4me \u58f0\u97f3 \xff");
}
