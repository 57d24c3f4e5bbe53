#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/dataset/sample.hpp"

namespace mdl::worker::dataset {

/// A list column, whatever the width of its offsets, and also where all lists have the same length and it has none.
class ListColumn {
 public:
  /// Returns nothing when `array` is no list.
  static std::optional<ListColumn> of(std::shared_ptr<arrow::Array> array);

  int64_t length(int64_t row) const { return end(row) - begin(row); }
  int64_t begin(int64_t row) const;  ///< index of the row's first value in values()
  int64_t end(int64_t row) const;
  bool is_null(int64_t row) const;
  std::optional<int64_t> first_null(int64_t row) const;  ///< place of a missing value in the row's list
  const std::shared_ptr<arrow::Array>& values() const { return values_; }

 private:
  std::shared_ptr<arrow::Array> array_;
  std::shared_ptr<arrow::Array> values_;
};

/// int8 to int64, uint8 to uint64, or bool: what tools store token lists and masks as, after they have narrowed them.
bool holds_integers(const arrow::DataType& type);

/// Widens values[begin, end) of an integer array. What is above INT64_MAX becomes negative, which nothing here may be.
std::vector<int64_t> read_integers(const arrow::Array& values, int64_t begin, int64_t end);

bool holds_waveform(const arrow::DataType& type);  ///< float16, float32, float64, or int16 (PCM)

/// values[begin, end) of such an array, in place.
Waveform read_waveform(const arrow::Array& values, int64_t begin, int64_t end);

}  // namespace mdl::worker::dataset
