#include "launcher/progress/step_counter.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::progress;
using namespace std::chrono_literals;

namespace {
const StepCounter::Time kStart{1h};
}

TEST_CASE("what a step adds to a counter is over the last half minute, and lately over the newest few seconds") {
  StepCounter counter;
  CHECK_FALSE((counter.of_step() || counter.of_step_lately() || counter.step()));
  counter.say(kStart, 10, 100);
  CHECK((!counter.of_step() && counter.step() == 10));
  double value = 100;
  for (int i = 1; i <= 60; ++i) {  // of 2 s for a minute
    value += 2;
    counter.say(kStart + i * 1s, 10 + i, value);
  }
  for (int i = 61; i <= 70; ++i) {  // then of half a second
    value += 0.5;
    counter.say(kStart + i * 1s, 10 + i, value);
  }
  CHECK(counter.of_step() == Approx((20 * 2 + 10 * 0.5) / 30));
  CHECK(counter.of_step_lately() == Approx(0.5));
  CHECK(counter.step() == 80);
}

TEST_CASE("of a counter that is said rarely two messages count, however old the first one is") {
  StepCounter counter;
  counter.say(kStart, 50, 100);
  counter.say(kStart + 100s, 100, 200);
  counter.say(kStart + 200s, 150, 350);
  CHECK((counter.of_step() == 3.0 && counter.of_step_lately() == 3.0));
}

TEST_CASE("a counter that is set back begins anew, and one that is said again with its step counts once") {
  StepCounter counter;
  counter.say(kStart, 10, 1e9);
  counter.say(kStart + 2s, 11, 5);
  CHECK_FALSE(counter.of_step());
  counter.say(kStart + 4s, 12, 6);
  counter.say(kStart + 10s, 12, 7);
  CHECK((counter.of_step() == 2.0 && counter.of_step_lately() == 2.0));
  counter.say(kStart + 11s, 3, 8);
  CHECK((!counter.of_step() && counter.step() == 3));
}
