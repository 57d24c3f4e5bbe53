#include "worker/training/data/training_data.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/training/data/sampler.hpp"

namespace mdl::worker::training::data {
namespace {

using dataset::DatasetView;

/// The numbers of the rows, in the view, that the split holds out.
std::set<int64_t> held_out(const DatasetView& view, double part, uint64_t seed) {
  std::set<int64_t> rows;
  int64_t first = 0;
  const std::vector<int64_t> sizes = view.part_sizes();
  for (std::size_t set = 0; set < sizes.size(); ++set) {
    const int64_t size = sizes[set];
    const auto count = static_cast<int64_t>(std::ceil(part * static_cast<double>(size)));
    if (count >= size) {
      throw UsageError(str_cat("--eval-split ", part, " leaves nothing to train on of ", size,
                               size == 1 ? " row" : " rows", " of ", view.folders()[set]->path().string()),
                       "Give a smaller part, or --eval-dataset.");
    }
    const std::vector<int64_t> order = epoch_order(size, seed, 0);
    for (int64_t i = 0; i < count; ++i) { rows.insert(first + order[static_cast<std::size_t>(i)]); }
    first += size;
  }
  return rows;
}

DatasetView without_long_rows(const DatasetView& view, int64_t most, TrainingData& told) {
  DatasetView kept = view.where([&](int64_t row) { return dataset::token_count(view.sample(row)) <= most; });
  const auto sizes = kept.part_sizes();
  if (const auto empty = std::ranges::find(sizes, 0); empty != sizes.end()) {
    throw UsageError(str_cat("--max-length ", most, " leaves no row of ",
                             view.folders()[static_cast<std::size_t>(empty - sizes.begin())]->path().string()),
                     "`mdl-toolkit info` of the dataset tells how long its rows are.");
  }
  told.too_long += view.size() - kept.size();
  return kept;
}

}  // namespace

TrainingData choose_rows(const DatasetView& train, const std::optional<DatasetView>& eval, const DataChoice& choice) {
  TrainingData data{.train = train, .eval = eval};
  if (choice.max_length) {
    data.train = without_long_rows(data.train, *choice.max_length, data);
    if (data.eval) { data.eval = without_long_rows(*data.eval, *choice.max_length, data); }
  }
  if (choice.eval_split) {
    const DatasetView all = data.train;
    const std::set<int64_t> rows = held_out(all, *choice.eval_split, choice.seed);
    data.eval = all.where([&](int64_t row) { return rows.contains(row); });
    data.train = all.where([&](int64_t row) { return !rows.contains(row); });
  }
  return data;
}

}  // namespace mdl::worker::training::data
