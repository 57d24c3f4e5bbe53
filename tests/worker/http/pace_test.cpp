#include "worker/http/pace.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::http;
using namespace std::chrono_literals;

TEST_CASE("an answer is too slow when a whole stretch has brought too little") {
  const Pace::Time begin{};
  Pace pace({.bytes_per_second = 10, .over = 60s}, begin);
  CHECK_FALSE(pace.is_too_slow(begin + 59s));
  pace.add(600);
  CHECK_FALSE(pace.is_too_slow(begin + 60s));
  pace.add(599);
  CHECK_FALSE(pace.is_too_slow(begin + 119s));
  CHECK(pace.is_too_slow(begin + 120s));
  CHECK_FALSE(pace.is_too_slow(begin + 121s));  // the next stretch
}

TEST_CASE("bytes keep the pace or do not") {
  CHECK(keeps_pace({.bytes_per_second = 10}, 20, 2s));
  CHECK_FALSE(keeps_pace({.bytes_per_second = 10}, 19, 2s));
  CHECK(keeps_pace({.bytes_per_second = 10}, 0, 0s));
}
