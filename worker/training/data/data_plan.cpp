#include "worker/training/data/data_plan.hpp"

#include <algorithm>
#include <cmath>

#include "worker/training/data/sampler.hpp"

namespace mdl::worker::training::data {

EpochRest rest_of_epoch(const DataShape& shape, int64_t rows_taken) {
  const int64_t rows = std::max<int64_t>(0, shape.rows - rows_taken);
  const int64_t batches = batches_per_rank(rows, shape.batch_size, shape.world_size);
  return {.batches = batches, .steps = (batches + shape.accumulation_steps - 1) / shape.accumulation_steps};
}

int64_t micro_batches(const EpochRest& rest, int64_t accumulation_steps, int64_t step) {
  return std::min(accumulation_steps, rest.batches - step * accumulation_steps);
}

int64_t steps_left(const DataShape& shape, const DataPosition& position, double epochs) {
  const int64_t whole_epoch = rest_of_epoch(shape, 0).steps;
  const auto all = static_cast<int64_t>(std::ceil(epochs * static_cast<double>(whole_epoch)));
  const int64_t before_next_epoch = rest_of_epoch(shape, position.rows_taken).steps;
  return std::max<int64_t>(0, all - (position.epoch + 1) * whole_epoch + before_next_epoch);
}

DataPosition advance(const DataShape& shape, DataPosition position, int64_t batches) {
  position.rows_taken += batches * shape.batch_size * shape.world_size;
  if (position.rows_taken >= shape.rows) { position = {position.epoch + 1, 0}; }
  return position;
}

DataPosition position_after(const DataShape& shape, int64_t steps) {
  const int64_t whole_epoch = rest_of_epoch(shape, 0).steps;
  return advance(shape, {steps / whole_epoch, 0}, steps % whole_epoch * shape.accumulation_steps);
}

}  // namespace mdl::worker::training::data
