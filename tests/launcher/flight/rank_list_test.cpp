#include "launcher/flight/rank_list.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::flight;
using Ranks = std::vector<std::int64_t>;

namespace {

Ranks steps(std::int64_t first, std::int64_t count, std::int64_t step) {
  Ranks ranks;
  for (std::int64_t i = 0; i < count; ++i) { ranks.push_back(first + i * step); }
  return ranks;
}

}  // namespace

TEST_CASE("ranks are told in few words") {
  CHECK(ranks_in_words({}) == "no rank");
  CHECK(ranks_in_words({3}) == "rank 3");
  CHECK(ranks_in_words({0, 1}) == "ranks 0, 1");
  CHECK(ranks_in_words({0, 1, 2, 5}) == "ranks 0 to 2, 5");
  CHECK(ranks_in_words({0, 2, 4}) == "ranks 0, 2, 4");
  CHECK(ranks_in_words(steps(1000, 24, 1)) == "ranks 1,000 to 1,023");
  CHECK(ranks_in_words(steps(0, 1024, 2)) == "ranks 0, 2, 4, 6, 8, 10, 12, 14 and 1,016 more");
}

TEST_CASE("digits of long numbers are grouped") {
  CHECK(grouped_digits(0) == "0");
  CHECK(grouped_digits(999) == "999");
  CHECK(grouped_digits(1204) == "1,204");
  CHECK(grouped_digits(1234567) == "1,234,567");
  CHECK(grouped_digits(-123) == "-123");
  CHECK(grouped_digits(-1234) == "-1,234");
}

TEST_CASE("ranks come back from their short text") {
  for (const Ranks& ranks : {Ranks{}, Ranks{7}, Ranks{0, 1}, Ranks{0, 9}, steps(0, 1000, 1), steps(3, 125, 8),
                             Ranks{0, 1, 2, 16, 24, 32, 33, 90}}) {
    CHECK(ranks_from_text(ranks_to_text(ranks), 1000) == ranks);
  }
  CHECK(ranks_to_text(steps(0, 8, 1)) == "0-7");
  CHECK(ranks_to_text(steps(1, 125, 8)) == "1-993/8");
  CHECK(ranks_to_text({0, 2, 4, 5}) == "0-4/2,5");
}

TEST_CASE("what is no list of ranks, or too long a one, is none") {
  for (const char* wrong : {"x", "-1", "1-", "1,", ",1", "3-1", "1,1", "2,1", "0-9/0", "0-9/", "0-9/-1", "1 2",
                            "0-1000", "0-9223372036854775807", "9223372036854775808", "0-999,1000"}) {
    CAPTURE(wrong);
    CHECK(ranks_from_text(wrong, 1000).empty());
  }
  CHECK(ranks_from_text("0-999", 1000).size() == 1000);
}
