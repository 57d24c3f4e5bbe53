#include <catch2/catch.hpp>

#include "worker/cli/step_interval.hpp"
#include "worker/training/schedule.hpp"

using namespace mdl;
using namespace mdl::worker::cli;
using namespace mdl::worker::training;

namespace {

double linear(double base, double step, int64_t warmup, double total) {
  return LrScheduler().rate(base, step, warmup, total);
}

}  // namespace

TEST_CASE("the learning rate falls linearly to zero") {
  CHECK(linear(1e-4, 0, 0, 9) == Approx(1e-4));
  CHECK(linear(1e-4, 1, 0, 9) == Approx(8.888888888888889e-05));
  CHECK(linear(1e-4, 8, 0, 9) == Approx(1.1111111111111112e-05));
  CHECK(linear(1e-4, 9, 0, 9) == 0);
}

TEST_CASE("warm-up starts at zero and reaches the full rate") {
  CHECK(linear(1.0, 0, 4, 10) == 0);
  CHECK(linear(1.0, 2, 4, 10) == Approx(0.5));
  CHECK(linear(1.0, 4, 4, 10) == Approx(1.0));
  CHECK(linear(1.0, 7, 4, 10) == Approx(0.5));
}

TEST_CASE("a warm-up longer than the run never reaches the full rate") {
  CHECK(linear(1.0, 4, 10, 5) == Approx(0.4));
}

TEST_CASE("a run that goes on with larger steps keeps its place in the schedule and still ends at zero") {
  // 10 steps were planned and 4 done; the rest takes 3 steps, each of which goes twice as far.
  const LearningRate rate{.base = 1.0, .warmup_steps = 0, .total = 10, .position = 4, .per_step = 2, .first_step = 4};
  CHECK(rate.at(4) == Approx(0.6));
  CHECK(rate.at(5) == Approx(0.4));
  CHECK(rate.at(7) == 0);
}

TEST_CASE("an interval is a number of steps or a fraction of all") {
  CHECK(StepInterval{500}.resolve(9) == 500);
  CHECK(StepInterval{1}.resolve(9) == 1);
  CHECK(StepInterval{0.25}.resolve(9) == 3);
  CHECK(StepInterval{0}.resolve(9) == 0);
}

TEST_CASE("what is due after so many steps is due after the last one, too") {
  const auto due = [](int64_t step, int64_t interval) {
    return is_due(IntervalStrategy::steps, {.step = step, .total_steps = 9, .epoch_ended = true}, interval);
  };
  CHECK(due(4, 2));
  CHECK_FALSE(due(5, 2));
  CHECK(due(9, 2));
  CHECK(due(9, 0));
  CHECK_FALSE(due(4, 0));
}

TEST_CASE("what is due after a pass over the data is due where the run ends within one, too") {
  const auto due = [](IntervalStrategy strategy, int64_t step, bool epoch_ended) {
    return is_due(strategy, {.step = step, .total_steps = 9, .epoch_ended = epoch_ended}, 1);
  };
  CHECK(due(IntervalStrategy::epoch, 4, true));
  CHECK_FALSE(due(IntervalStrategy::epoch, 4, false));
  CHECK(due(IntervalStrategy::epoch, 9, false));
  CHECK_FALSE(due(IntervalStrategy::no, 9, true));
}
