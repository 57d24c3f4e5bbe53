#include "worker/plan/row_sizes.hpp"

#include <algorithm>
#include <cmath>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::plan {

HeaviestRows::HeaviestRows(const std::vector<RowSize>& rows) : rows_(rows) {
  for (const RowSize& row : rows) {
    const auto tokens = static_cast<double>(std::max<int64_t>(1, row.tokens));
    samples_of_token_ = std::max(samples_of_token_, static_cast<double>(row.samples) / tokens);
    labels_of_token_ = std::max(labels_of_token_, static_cast<double>(row.labels) / tokens);
  }
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

std::vector<RowSize> HeaviestRows::filling(int64_t tokens) const {
  const auto part_of = [](double of_token, int64_t count) {
    return static_cast<int64_t>(std::ceil(of_token * static_cast<double>(count)));
  };
  std::vector<RowSize> rows;
  for (int64_t left = tokens; left > 0; left -= rows.back().tokens) {
    const int64_t here = std::clamp<int64_t>(heaviest().tokens, 1, left);
    rows.push_back(
        {.samples = part_of(samples_of_token_, here), .tokens = here, .labels = part_of(labels_of_token_, here)});
  }
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
