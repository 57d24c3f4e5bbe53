#pragma once

#include <cstdint>
#include <optional>

#include "worker/training/data/data_plan.hpp"
#include "worker/training/data/mixture.hpp"
#include "worker/training/data/step_source.hpp"
#include "worker/training/data/token_batches.hpp"

namespace mdl::worker::training::data {

/// Which rows the steps of a run take, epoch after epoch, on every rank: batches of a number of rows, or of at most a
/// number of tokens. All follows from seed, sizes, weights and lengths.
class EpochSchedule {
 public:
  /// `mixture`: of the shape's rows. With `tokens` the shape's batch size does not count.
  EpochSchedule(const DataShape& shape, Mixture mixture, uint64_t seed, std::optional<TokenBatches> tokens);

  /// What is left of the epoch at `position`.
  EpochOrder order(const DataPosition& position) const;

  /// How many micro-batches of each rank, and steps, that is.
  EpochRest rest(const EpochOrder& order) const;

  /// Steps from `position` to the end of a run of `epochs`, which may be a fraction. Batches of tokens are not equally
  /// many in each epoch: the order of each one is made for it.
  int64_t steps_left(const DataPosition& position, double epochs) const;

  /// The position after all ranks took the first `batches` micro-batches of `order`, which begins at `begin`.
  DataPosition after(const DataPosition& begin, const EpochOrder& order, int64_t batches) const;

 private:
  int64_t steps_at(const DataPosition& position) const { return rest(order(position)).steps; }

  DataShape shape_;
  Mixture mixture_;
  uint64_t seed_;
  std::optional<TokenBatches> tokens_;
};

}  // namespace mdl::worker::training::data
