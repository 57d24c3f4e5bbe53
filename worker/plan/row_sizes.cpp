#include "worker/plan/row_sizes.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::plan {

HeaviestRows::HeaviestRows(const std::vector<RowSize>& rows) : rows_(rows) {
  for (const auto part : {&RowSize::samples, &RowSize::tokens, &RowSize::labels}) {
    std::vector<int64_t> sizes;
    sizes.reserve(rows.size());
    for (const RowSize& row : rows) { sizes.push_back(row.*part); }
    std::ranges::sort(sizes, std::greater());
    for (size_t i = 0; i < sizes.size(); ++i) { rows_[i].*part = sizes[i]; }
  }
}

std::vector<RowSize> HeaviestRows::first(int64_t count) const {
  std::vector<RowSize> rows(rows_.begin(), rows_.begin() + std::min<int64_t>(count, std::ssize(rows_)));
  rows.resize(static_cast<size_t>(count), rows_.back());
  return rows;
}

std::vector<RowSize> HeaviestRows::sizes_of(const dataset::DatasetView& dataset) {
  if (dataset.size() == 0) { throw UsageError(str_cat(dataset.names(), " has no row")); }
  std::vector<RowSize> rows;
  rows.reserve(static_cast<size_t>(dataset.size()));
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const dataset::Sample sample = dataset.sample(i);
    // Padding in front of the tokens is left out of a batch; that behind a sound is not.
    rows.push_back({.samples = dataset::sample_count(sample.waveform),
                    .tokens = dataset::token_count(sample),
                    .labels = dataset::label_tokens(sample)});
  }
  return rows;
}

}  // namespace mdl::worker::plan
