#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "worker/dataset/audio_tokens.hpp"
#include "worker/dataset/dataset_view.hpp"

namespace mdl::worker::training::data {

/// How long a row is, in tokens of the decoder without padding.
struct RowLength {
  int64_t text = 0;   ///< those that are no places of its sound
  int64_t sound = 0;  ///< places of its sound: what the projector makes of it

  int64_t all() const { return text + sound; }
};

/// Adds up the tokens of a batch as --batch-tokens counts them: the real ones of all texts, and of each sound as many
/// as the batch's longest has, since sounds are padded to it.
class BatchTokens {
 public:
  int64_t with(const RowLength& row) const { return text_ + row.text + (rows_ + 1) * std::max(longest_, row.sound); }

  void add(const RowLength& row) {
    text_ += row.text;
    longest_ = std::max(longest_, row.sound);
    ++rows_;
  }

  int64_t count() const { return text_ + rows_ * longest_; }

 private:
  int64_t text_ = 0, longest_ = 0, rows_ = 0;
};

/// Of each row of `rows`. `sound` says how many places a sound takes.
std::vector<RowLength> row_lengths(const dataset::DatasetView& rows, const dataset::AudioTokens& sound);

/// Throws UsageError, naming the longest row, where one alone has more tokens than a batch may have. A batch never has
/// more than it was asked to have, so that a plan of its memory holds.
void require_rows_within(const dataset::DatasetView& rows, const std::vector<RowLength>& lengths, int64_t most);

}  // namespace mdl::worker::training::data
