#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

#include "worker/training/data/data_plan.hpp"
#include "worker/training/data/step_source.hpp"

using namespace mdl;
using namespace mdl::worker::training::data;

namespace {

/// Adds up how often each row is taken from `position` on, for at most `steps` steps; returns the position then.
DataPosition take(const DataShape& shape, DataPosition position, int64_t steps, std::map<int64_t, int>& counts) {
  while (steps > 0) {
    const EpochRest rest = rest_of_epoch(shape, position.rows_taken);
    const EpochOrder order(shape, {.rows = {shape.rows}}, 42, position.epoch, position.rows_taken);
    const int64_t end = std::min(rest.steps, steps);
    int64_t batches = 0;
    for (int64_t step = 0; step < end; ++step) {
      for (int64_t i = 0; i < micro_batches(rest, shape.accumulation_steps, step); ++i, ++batches) {
        for (int64_t rank = 0; rank < shape.world_size; ++rank) {
          for (const int64_t row : order.rows(rank, batches)) { ++counts[row + 1000 * position.epoch]; }
        }
      }
    }
    position = advance(shape, position, batches);
    steps -= end;
  }
  return position;
}

}  // namespace

TEST_CASE("the last step of an epoch takes the micro-batches that are left") {
  const DataShape shape{.rows = 9, .batch_size = 1, .world_size = 1, .accumulation_steps = 4};
  const EpochRest rest = rest_of_epoch(shape, 0);
  CHECK(rest.batches == 9);
  CHECK(rest.steps == 3);
  CHECK(micro_batches(rest, 4, 0) == 4);
  CHECK(micro_batches(rest, 4, 2) == 1);
}

TEST_CASE("a fraction of an epoch ends a run inside it") {
  const DataShape shape{.rows = 9, .batch_size = 1};
  CHECK(steps_left(shape, {}, 0.5) == 5);
  CHECK(steps_left(shape, {}, 1.5) == 14);
}

TEST_CASE("a run that goes on as it was has the steps left that it had not done") {
  const DataShape shape{.rows = 35, .batch_size = 4, .world_size = 2, .accumulation_steps = 2};
  for (const double epochs : {0.5, 1.0, 1.7, 3.0}) {
    const int64_t all = steps_left(shape, {}, epochs);
    for (int64_t done = 0; done <= all; ++done) {
      CHECK(steps_left(shape, position_after(shape, done), epochs) == all - done);
    }
  }
}

TEST_CASE("with another number of ranks the rest of the epoch is visited, no row twice") {
  // 48 rows divide evenly by every shape here, so that no batch is filled up.
  const int64_t before = GENERATE(1, 2, 3, 4), after = GENERATE(1, 2, 3, 4), steps = GENERATE(0, 1, 2, 3);
  const DataShape first{.rows = 48, .batch_size = 2, .world_size = before, .accumulation_steps = 1};
  DataShape second = first;
  second.world_size = after;
  std::map<int64_t, int> counts;
  const DataPosition position = take(first, {}, steps, counts);
  CAPTURE(before, after, steps, position.rows_taken);
  CHECK(position.rows_taken == steps * before * 2);
  if ((48 - position.rows_taken) % (after * 2) != 0) {
    return;  // the last round is filled up, as in an undisturbed epoch
  }
  take(second, position, steps_left(second, position, 2.0), counts);
  CHECK(counts.size() == 96);
  CHECK(std::all_of(counts.begin(), counts.end(), [](const auto& entry) { return entry.second == 1; }));
}

TEST_CASE("a second change of the number of ranks still loses and repeats nothing") {
  std::map<int64_t, int> counts;
  DataPosition position;
  for (const auto& [ranks, steps] : {std::pair<int64_t, int64_t>{2, 3}, {1, 4}, {4, 1}}) {
    position = take({.rows = 48, .batch_size = 2, .world_size = ranks}, position, steps, counts);
  }
  const DataShape last{.rows = 48, .batch_size = 2, .world_size = 2};
  take(last, position, steps_left(last, position, 1.0), counts);
  CHECK(counts.size() == 48);
  CHECK(std::all_of(counts.begin(), counts.end(), [](const auto& entry) { return entry.second == 1; }));
}

TEST_CASE("at the end of an epoch the next one begins") {
  const DataShape shape{.rows = 8, .batch_size = 2, .world_size = 2};
  const DataPosition position = advance(shape, {}, 2);
  CHECK(position.epoch == 1);
  CHECK(position.rows_taken == 0);
}
