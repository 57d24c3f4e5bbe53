#pragma once

#include <cstdint>
#include <optional>

#include "worker/dataset/dataset_view.hpp"

namespace mdl::worker::training::data {

/// Which rows of the datasets are used, and for what.
struct DataChoice {
  std::optional<int64_t> max_length{};  ///< tokens of a row, those of its sound among them
  std::optional<double> eval_split{};   ///< part of each training set that is for the evaluation
  uint64_t seed = 0;                    ///< decides which part
};

struct TrainingData {
  dataset::DatasetView train;
  std::optional<dataset::DatasetView> eval;
  int64_t too_long = 0;  ///< rows of all sets that max_length leaves out
};

/// The rows to train and to evaluate on. A row that is too long is left out as a whole: a sound is never cut. The split
/// takes ceil(part · rows) rows of each set by a permutation from the seed, as many as datasets' train_test_split does.
/// Throws UsageError when nothing is left of a set.
TrainingData choose_rows(const dataset::DatasetView& train, const std::optional<dataset::DatasetView>& eval,
                         const DataChoice& choice);

}  // namespace mdl::worker::training::data
