#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/batch/batch.hpp"
#include "worker/batch/batch_options.hpp"
#include "worker/dataset/dataset_view.hpp"
#include "worker/training/data/data_plan.hpp"
#include "worker/training/data/mixture.hpp"

namespace mdl::worker::training::data {

/// What this rank computes in one step.
struct StepData {
  std::vector<batch::Batch> batches;       ///< micro-batches on the CPU
  std::vector<std::vector<int64_t>> rows;  ///< dataset rows of each
  int64_t label_tokens = 0;                ///< of all micro-batches of ALL ranks: what the losses are divided by
  int64_t samples = 0;                     ///< clips of all ranks
  std::vector<std::string> left_out;       ///< bad samples of all ranks that are not in the batches: row and fault
  std::vector<int64_t> unlabelled;         ///< rows of all ranks without a label token: they teach nothing
};

/// Which rows an epoch's steps take, on every rank. Each rank knows the order of all, so the number of label tokens of
/// a whole step is counted from the dataset, not asked for over the network.
class EpochOrder {
 public:
  /// `mixture`: of the shape's rows. The first `taken` of the epoch were trained on before.
  EpochOrder(const DataShape& shape, const Mixture& mixture, uint64_t seed, int64_t epoch, int64_t taken);

  /// Of each rank's micro-batches, of which all have equally many. An empty one is not the first rank's.
  explicit EpochOrder(std::vector<std::vector<std::vector<int64_t>>> ranks);

  /// Rows of micro-batch `index` of rank `rank`.
  const std::vector<int64_t>& rows(int64_t rank, int64_t index) const;
  /// A row of that micro-batch, or of another rank's where it is empty.
  int64_t any_row(int64_t rank, int64_t index) const;
  int64_t world_size() const { return static_cast<int64_t>(ranks_.size()); }
  /// Micro-batches of each rank.
  int64_t rounds() const { return static_cast<int64_t>(ranks_.front().size()); }
  /// Rows of the first `rounds` micro-batches of all ranks.
  int64_t rows_in(int64_t rounds) const { return rows_in_[static_cast<std::size_t>(rounds)]; }

 private:
  std::vector<std::vector<std::vector<int64_t>>> ranks_;
  std::vector<int64_t> rows_in_;
};

/// Reads and pads the data of the step that takes micro-batches [first, first + count). A bad sample (see
/// sample_fault()) is left out with options.skip_bad_samples; of a batch that would be empty then, one row stays as
/// silence without labels, because all ranks must go through the step together; so does
/// a row of another rank where this one's batch is empty. Without that option broken sound is an
/// Error naming its row, and a row without labels is harmless as long as the step has some, as in the Python tool.
StepData read_step(const dataset::DatasetView& dataset, const EpochOrder& order, int64_t rank, int64_t first,
                   int64_t count, const batch::BatchOptions& options);

}  // namespace mdl::worker::training::data
