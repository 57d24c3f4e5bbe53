#include "worker/health/timed_repeats.hpp"

#include <catch2/catch.hpp>

using namespace mdl::worker::health;
using namespace std::chrono_literals;

namespace {

/// A clock that work moves on.
struct WorkClock {
  Repeats measure(const std::vector<std::chrono::nanoseconds>& durations, const RepeatPlan& plan) {
    return measure_repeats([&] { time += durations.at(done++); }, plan, [this] { return time; });
  }
  std::chrono::steady_clock::time_point time{};
  std::size_t done = 0;
};

}  // namespace

TEST_CASE("the median of repeats counts, and not the first one, which warms up") {
  WorkClock clock;
  const Repeats repeats = clock.measure({100s, 1s, 9s, 2s}, {.budget = 0s, .least = 3});
  CHECK(repeats.median == 2s);
  CHECK(repeats.count == 3);
  CHECK(clock.done == 4);
}

TEST_CASE("repeats go on until the budget is spent, and are never more than the most") {
  WorkClock clock;
  const std::vector<std::chrono::nanoseconds> seconds(100, 1s);
  CHECK(clock.measure(seconds, {.budget = 10s}).count == 10);
  WorkClock other;
  CHECK(other.measure(seconds, {.budget = 1000s, .least = 3, .most = 7}).count == 7);
  WorkClock still;
  CHECK(still.measure(std::vector<std::chrono::nanoseconds>(10, 0s), {.budget = 0s}).median == 1ns);
}

TEST_CASE("the median of an even number is the mean of the middle ones") {
  CHECK(median_duration({4s, 1s, 3s, 10s}) == 3500ms);
  CHECK(median_duration({5s}) == 5s);
  CHECK(per_second(3e9, 500ms) == 6'000'000'000);
}
