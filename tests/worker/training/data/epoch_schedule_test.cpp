#include "worker/training/data/epoch_schedule.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace mdl::worker::training::data;

namespace {

constexpr uint64_t kSeed = 42;

TokenBatches rows_of_a_run(int64_t rows) {
  TokenBatches batches{.most = 300};
  for (int64_t row = 0; row < rows; ++row) { batches.lengths.push_back({.text = 20, .sound = 5 + row * 13 % 60}); }
  return batches;
}

EpochSchedule schedule(const DataShape& shape, int64_t most, std::vector<double> weights = {}) {
  TokenBatches batches = rows_of_a_run(shape.rows);
  batches.most = most;
  const int64_t first = shape.rows / 3;
  return {shape, {.rows = {first, shape.rows - first}, .weights = std::move(weights)}, kSeed, std::move(batches)};
}

DataShape shape_for(int64_t world_size, int64_t accumulation) {
  return {.rows = 90, .world_size = world_size, .accumulation_steps = accumulation, .batch_tokens = 300};
}

/// A run's steps, each as the set of rows of all ranks, from `position` on, which it leaves where it ends.
std::vector<std::multiset<int64_t>> steps_of(const EpochSchedule& schedule, const DataShape& shape,
                                             DataPosition& position, int64_t count) {
  std::vector<std::multiset<int64_t>> steps;
  while (count > 0) {
    const EpochOrder order = schedule.order(position);
    const EpochRest rest = schedule.rest(order);
    int64_t batches = 0;
    for (int64_t step = 0; step < rest.steps && count > 0; ++step, --count) {
      auto& rows = steps.emplace_back();
      for (int64_t i = 0; i < micro_batches(rest, shape.accumulation_steps, step); ++i, ++batches) {
        for (int64_t rank = 0; rank < shape.world_size; ++rank) {
          const auto& of_rank = order.rows(rank, batches);
          rows.insert(of_rank.begin(), of_rank.end());
        }
      }
    }
    position = schedule.after(position, order, batches);
  }
  return steps;
}

}  // namespace

TEST_CASE("with batches of tokens two ranks take in a step what one rank takes in twice as many batches") {
  for (const auto& weights : {std::vector<double>(), std::vector<double>{3, 1}}) {
    DataPosition one{}, two{};
    const DataShape alone = shape_for(1, 2), together = shape_for(2, 1);
    const auto first = schedule(alone, 300, weights), second = schedule(together, 300, weights);
    const int64_t steps = first.steps_left({}, 3);
    CHECK(second.steps_left({}, 3) == steps);
    CHECK((steps_of(first, alone, one, steps) == steps_of(second, together, two, steps)));
    CHECK(one.epoch == 3);
    CHECK(two.epoch == 3);
  }
}

TEST_CASE("a run by tokens has the steps left that it had not done, at any step and in any epoch") {
  const DataShape shape = shape_for(2, 2);
  const EpochSchedule run = schedule(shape, 300);
  for (const double epochs : {0.4, 1.0, 2.5}) {
    const int64_t all = run.steps_left({}, epochs);
    DataPosition position{};
    for (int64_t done = 0; done <= all; ++done) {
      CHECK(run.steps_left(position, epochs) == all - done);
      if (done < all) { steps_of(run, shape, position, 1); }
    }
  }
}

TEST_CASE(
    "a run by tokens goes on with other ranks and other batches, and no row of the epoch is lost or comes twice") {
  std::map<int64_t, int> times;
  DataPosition position{};
  struct Stretch {
    int64_t ranks, accumulation, most, steps;
  };
  for (const auto& [ranks, accumulation, most, steps] : {Stretch{2, 1, 300, 3}, {1, 2, 300, 2}, {3, 1, 500, 1}}) {
    const DataShape shape = shape_for(ranks, accumulation);
    for (const auto& rows : steps_of(schedule(shape, most), shape, position, steps)) {
      for (const int64_t row : rows) { ++times[row]; }
    }
    CHECK(position.epoch == 0);
  }
  const DataShape last = shape_for(2, 1);
  const EpochSchedule rest = schedule(last, 250);
  for (const auto& rows : steps_of(rest, last, position, rest.steps_left(position, 1))) {
    for (const int64_t row : rows) { ++times[row]; }
  }
  CHECK(position.epoch == 1);
  CHECK(times.size() == 90);
  CHECK(std::ranges::all_of(times, [](const auto& row) { return row.second == 1; }));
}

TEST_CASE("batches of rows are scheduled as before") {
  const DataShape shape{.rows = 35, .batch_size = 4, .world_size = 2, .accumulation_steps = 2};
  const EpochSchedule run(shape, {.rows = {35}}, kSeed, std::nullopt);
  for (const double epochs : {0.5, 1.7, 3.0}) { CHECK(run.steps_left({}, epochs) == steps_left(shape, {}, epochs)); }
  for (const int64_t taken : {0, 8, 32}) {
    const DataPosition begin{1, taken};
    const EpochOrder order = run.order(begin);
    const EpochRest rest = run.rest(order), expected = rest_of_epoch(shape, taken);
    CHECK(rest.batches == expected.batches);
    CHECK(rest.steps == expected.steps);
    for (int64_t batches = 1; batches <= rest.batches; ++batches) {
      const DataPosition after = run.after(begin, order, batches), wanted = advance(shape, begin, batches);
      CHECK(after.epoch == wanted.epoch);
      CHECK(after.rows_taken == wanted.rows_taken);
    }
  }
}
