#pragma once

#include <cstdint>
#include <vector>

#include "worker/dataset/dataset_view.hpp"

namespace mdl::worker::plan {

/// One row of a batch.
struct RowSize {
  int64_t samples = 0;  ///< of its sound, at 16 kHz
  int64_t tokens = 0;   ///< of its text, the places of the sound among them
  int64_t labels = 0;   ///< tokens that the loss counts
};

/// The heaviest rows that a batch may hold: no batch of so many rows takes more memory.
class HeaviestRows {
 public:
  /// Of rows that are all of this size.
  explicit HeaviestRows(const RowSize& each) : HeaviestRows(std::vector<RowSize>{each}) {}

  /// Of a dataset: its i-th longest sound with its i-th longest text and its i-th most labels. Throws for none.
  explicit HeaviestRows(const dataset::DatasetView& dataset) : HeaviestRows(sizes_of(dataset)) {}

  explicit HeaviestRows(const std::vector<RowSize>& rows);

  /// `count` rows; where the dataset has less, its lightest one again and again.
  std::vector<RowSize> first(int64_t count) const;

  /// Rows of `tokens` tokens together, at most as long as the longest one, with as much sound and as many labels to a
  /// token as any row has: no batch of at most so many tokens takes more memory.
  std::vector<RowSize> filling(int64_t tokens) const;

  const RowSize& heaviest() const { return rows_.front(); }

  /// Tokens of a batch of all rows, all as heavy as the heaviest: none has more.
  int64_t most_tokens() const { return std::ssize(rows_) * heaviest().tokens; }

 private:
  static std::vector<RowSize> sizes_of(const dataset::DatasetView& dataset);

  std::vector<RowSize> rows_;
  double samples_of_token_ = 0, labels_of_token_ = 0;  ///< the most that a row has
};

}  // namespace mdl::worker::plan
