#include "worker/http/byte_ranges.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::http;

using Ranges = std::vector<ByteRange>;

TEST_CASE("ranges that touch or overlap become one, and only new bytes count") {
  ByteRanges ranges;
  CHECK(ranges.add({10, 20}) == 10);
  CHECK(ranges.add({30, 40}) == 10);
  CHECK(ranges.add({15, 25}) == 5);
  CHECK(ranges.add({25, 30}) == 5);
  CHECK(ranges.add({12, 38}) == 0);
  CHECK(ranges.add({5, 5}) == 0);
  CHECK(ranges.total() == 30);
  CHECK(ranges.missing(50) == Ranges{{0, 10}, {40, 50}});
  CHECK(ranges.add({0, 50}) == 20);
  CHECK(ranges.missing(50).empty());
  CHECK(ByteRanges().missing(0).empty());
  CHECK(ByteRanges().missing(3) == Ranges{{0, 3}});
}

TEST_CASE("a record is read as far as it makes sense") {
  CHECK(parse_record(record_line({0, 10}) + record_line({20, 30}), 30).missing(30) == Ranges{{10, 20}});
  CHECK(parse_record("0 10\n20 3", 30).total() == 10);  // torn by a kill
  CHECK(parse_record("", 30).total() == 0);
  for (const char* bad : {"x\n", "5 5\n", "5 4\n", "-1 5\n", "0 31\n", "0\n", " 5\n", "0 \n", "0 5 6\n", "\n",
                          "0 99999999999999999999\n"}) {
    INFO(bad);
    CHECK(parse_record(std::string("0 2\n") + bad + "10 20\n", 30).total() == 2);
  }
}

TEST_CASE("a range is cut into pieces of about the same size, none too small") {
  CHECK(in_pieces({0, 100}, 4, 10) == Ranges{{0, 25}, {25, 50}, {50, 75}, {75, 100}});
  CHECK(in_pieces({10, 21}, 3, 2) == Ranges{{10, 13}, {13, 16}, {16, 21}});
  CHECK(in_pieces({0, 100}, 16, 60) == Ranges{{0, 100}});
  CHECK(in_pieces({0, 1}, 16, 60) == Ranges{{0, 1}});
}
