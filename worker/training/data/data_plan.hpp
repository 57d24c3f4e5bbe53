#pragma once

#include <cstdint>

namespace mdl::worker::training::data {

/// How the ranks share the rows of a dataset.
struct DataShape {
  int64_t rows = 0;
  int64_t batch_size = 0;  ///< of each rank
  int64_t world_size = 1;
  int64_t accumulation_steps = 1;
  int64_t batch_tokens = 0;  ///< above 0: batches of at most so many tokens, in place of batch_size rows
};

/// Where in the data a run stands. An epoch's order is the same for any number of ranks and all ranks together take it
/// from the front, so that one number says what was trained on.
struct DataPosition {
  int64_t epoch = 0;
  int64_t rows_taken = 0;  ///< from the front of the epoch's order, which batches of tokens have another one of
};

/// What is left of an epoch after `rows_taken`: micro-batches of each rank, and steps (updates of the weights).
struct EpochRest {
  int64_t batches = 0;
  int64_t steps = 0;
};
EpochRest rest_of_epoch(const DataShape& shape, int64_t rows_taken);

/// Micro-batches of step `step` (from 0) of that rest. The last step takes those that are left.
int64_t micro_batches(const EpochRest& rest, int64_t accumulation_steps, int64_t step);

/// Steps from `position` to the end of a run of `epochs`, which may be a fraction; from the beginning, all steps as the
/// Trainer counts them.
int64_t steps_left(const DataShape& shape, const DataPosition& position, double epochs);

/// The position after all ranks took `batches` micro-batches more.
DataPosition advance(const DataShape& shape, DataPosition position, int64_t batches);

/// The position of a run of that shape after `steps` steps from the beginning: for checkpoints of the Python tool,
/// which say no more.
DataPosition position_after(const DataShape& shape, int64_t steps);

}  // namespace mdl::worker::training::data
