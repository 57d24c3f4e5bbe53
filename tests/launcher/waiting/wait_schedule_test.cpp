#include "launcher/waiting/wait_schedule.hpp"

#include <catch2/catch.hpp>

using namespace mdl::launcher::waiting;
using namespace std::chrono_literals;
using Step = WaitSchedule::Step;

namespace {

const WaitSchedule::Clock::time_point kStart{1000s};

/// The seconds, from 0 to `until`, at which a line is due.
std::vector<int> lines_of(WaitSchedule& schedule, Step step, int from, int until) {
  std::vector<int> seconds;
  for (int second = from; second <= until; ++second) {
    if (schedule.at(step, kStart + std::chrono::seconds(second), 1).line) { seconds.push_back(second); }
  }
  return seconds;
}

}  // namespace

TEST_CASE("without a terminal a wait is told after five seconds, and then each minute") {
  WaitSchedule schedule({}, false);
  CHECK(lines_of(schedule, Step::nodes, 0, 130) == std::vector<int>{5, 65, 125});
  CHECK(schedule.told_since() == kStart);
}

TEST_CASE(
    "a step that begins before anything was told does not put it off, and a later one is told after five seconds") {
  WaitSchedule schedule({}, false);
  CHECK(lines_of(schedule, Step::store, 0, 3).empty());
  CHECK(lines_of(schedule, Step::nodes, 4, 20) == std::vector<int>{5});
  CHECK(lines_of(schedule, Step::ranks, 21, 40) == std::vector<int>{26});
}

TEST_CASE("a wait that ends, and another that begins, is told anew after five seconds") {
  WaitSchedule schedule({}, false);
  CHECK(lines_of(schedule, Step::nodes, 0, 6) == std::vector<int>{5});
  CHECK(lines_of(schedule, Step::none, 7, 8).empty());
  CHECK(lines_of(schedule, Step::nodes, 9, 20) == std::vector<int>{14});
}

TEST_CASE("on a terminal one line is drawn again and again, and only a store that does not answer is told once more") {
  WaitSchedule schedule({}, true);
  CHECK_FALSE(schedule.at(Step::store, kStart, 0).status);
  CHECK_FALSE(schedule.told_since());
  const auto first = schedule.at(Step::store, kStart + 5s, 0);
  CHECK((first.status && first.line && !first.look));
  const auto second = schedule.at(Step::store, kStart + 6s, 0);
  CHECK((second.status && !second.line));
  const auto joined = schedule.at(Step::nodes, kStart + 7s, 0);
  CHECK((joined.status && joined.look && !joined.line));
  CHECK(lines_of(schedule, Step::nodes, 8, 200).empty());
}

TEST_CASE("the more nodes there are, the less often each of them reads the store") {
  const auto looks = [](bool on_terminal, std::size_t nodes) {
    WaitSchedule schedule({}, on_terminal);
    int count = 0;
    for (int second = 0; second < 305; ++second) {
      count += schedule.at(Step::nodes, kStart + std::chrono::seconds(second), nodes).look ? 1 : 0;
    }
    return count;
  };
  CHECK(looks(true, 4) == 300);
  CHECK(looks(false, 4) == 60);
  CHECK(looks(true, 500) == 10);
  CHECK(looks(false, 1000) == 5);
  CHECK(looks(false, 1'000'000) == 5);
}
