#include "worker/training/data/row_length.hpp"

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::training::data {

std::vector<RowLength> row_lengths(const dataset::DatasetView& rows, const dataset::AudioTokens& sound) {
  std::vector<RowLength> lengths;
  lengths.reserve(static_cast<std::size_t>(rows.size()));
  for (int64_t row = 0; row < rows.size(); ++row) {
    const dataset::Sample sample = rows.sample(row);
    const int64_t all = dataset::token_count(sample), of_sound = std::min(all, sound.count(sample.audio_length));
    lengths.push_back({.text = all - of_sound, .sound = of_sound});
  }
  return lengths;
}

void require_rows_within(const dataset::DatasetView& rows, const std::vector<RowLength>& lengths, int64_t most) {
  const auto longest = std::ranges::max_element(lengths, {}, &RowLength::all);
  if (longest == lengths.end() || longest->all() <= most) { return; }
  const auto too_long = std::ranges::count_if(lengths, [&](const RowLength& row) { return row.all() > most; });
  throw UsageError(
      str_cat("--batch-tokens ", most, ": ", rows.describe(longest - lengths.begin()), " alone has ", longest->all(),
              too_long == 1 ? std::string() : str_cat(", and ", too_long - 1, " others have more than that as well")),
      str_cat("Give ", longest->all(), " at least, or leave such rows out: --max-length ", most, "."));
}

}  // namespace mdl::worker::training::data
