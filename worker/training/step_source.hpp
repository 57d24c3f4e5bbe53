#pragma once

#include <cstdint>
#include <vector>

#include "worker/data/batch.hpp"
#include "worker/data/dataset_folder.hpp"
#include "worker/data/prefetcher.hpp"
#include "worker/training/evaluation.hpp"
#include "worker/training/schedule.hpp"

namespace mdl {

/// What this rank computes in one step.
struct StepData {
  std::vector<Batch> batches;              ///< micro-batches on the CPU
  std::vector<std::vector<int64_t>> rows;  ///< dataset rows of each
  int64_t label_tokens = 0;                ///< of all micro-batches of ALL ranks: what the losses are divided by
  int64_t samples = 0;                     ///< clips of all ranks
};

/// Which rows an epoch's steps take, on every rank. Each rank knows the order of all, so the number of label tokens of
/// a whole step is counted from the dataset, not asked for over the network.
class EpochOrder {
 public:
  EpochOrder(int64_t rows, uint64_t seed, int64_t epoch, int64_t batch_size, int64_t world_size);

  /// Rows of micro-batch `index` of rank `rank`.
  const std::vector<int64_t>& rows(int64_t rank, int64_t index) const;
  int64_t world_size() const { return static_cast<int64_t>(ranks_.size()); }

 private:
  std::vector<std::vector<std::vector<int64_t>>> ranks_;
};

/// Reads and pads the data of the step that takes micro-batches [first, first + count).
StepData read_step(const DatasetFolder& dataset, const EpochOrder& order, int64_t rank, int64_t first, int64_t count,
                   const BatchOptions& options);

}  // namespace mdl
