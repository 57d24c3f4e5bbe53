#include "launcher/progress/slow_rank.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::progress;

TEST_CASE("who is slow is measured by the lower median, and by five milliseconds at least") {
  CHECK(lower_median({0.7}) == 0.7);
  CHECK(lower_median({0.9, 0.7}) == 0.7);
  CHECK(lower_median({0.9, 0.1, 0.7}) == 0.7);
  CHECK(lower_median({4, 1, 3, 2}) == 2);
  CHECK(slow_limit(1) == 1.3);
  CHECK(slow_limit(1, kNoLongerSlowTimes) == 1.2);
  CHECK(slow_limit(0.01) == 0.015);
  CHECK(slow_limit(0) == kLeastSlowDifference);
}
