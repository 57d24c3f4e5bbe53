#include "launcher/watchdog/stuck_workers.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace mdl;
using namespace mdl::launcher::watchdog;
using namespace std::chrono_literals;

TEST_CASE("how long a process hangs in the kernel counts from the first look that finds it so, without a break") {
  StuckTimes times;
  const StuckTimes::Clock::time_point start{1h};
  times.look({{1, 'D'}, {2, 'R'}, {3, 'D'}}, start);
  CHECK(times.of(1) == 0s);
  times.look({{1, 'D'}, {2, 'D'}, {3, 'S'}}, start + 2s);
  CHECK(times.of(1) == 2s);
  CHECK(times.of(2) == 0s);
  CHECK(times.of(3) == 0s);
  times.look({{1, 'D'}, {3, 'D'}}, start + 5s);
  CHECK(times.of(1) == 5s);
  CHECK(times.of(2) == 0s);
  CHECK(times.of(3) == 0s);
  CHECK(times.of(4) == 0s);
}

TEST_CASE("the time that a worker may hang is a number of seconds as Python reads it, and else there is no check") {
  const std::map<std::string, double> limits = {{"60", 60}, {"0.5", 0.5}, {" 1e3\n", 1000}, {"+7", 7}};
  for (const auto& [text, seconds] : limits) {
    CAPTURE(text);
    REQUIRE(stuck_limit(text));
    CHECK(stuck_limit(text)->count() == seconds);
  }
  for (const char* off : {"", "0", "-3", "nan", "soon", "0x10", "5 s", "  "}) {
    CAPTURE(off);
    CHECK_FALSE(stuck_limit(off));
  }
  CHECK_FALSE(stuck_limit(std::nullopt));
}
