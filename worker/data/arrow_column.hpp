#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "worker/data/sample.hpp"

namespace mdl {

/// A list column, whatever the width of its offsets.
class ListColumn {
 public:
  /// Returns nothing when `array` is no list.
  static std::optional<ListColumn> of(std::shared_ptr<arrow::Array> array);

  int64_t length(int64_t row) const { return end(row) - begin(row); }
  int64_t begin(int64_t row) const;  ///< index of the row's first value in values()
  int64_t end(int64_t row) const;
  bool is_null(int64_t row) const;
  const std::shared_ptr<arrow::Array>& values() const { return values_; }

 private:
  std::shared_ptr<arrow::Array> array_;
  std::shared_ptr<arrow::Array> values_;
  bool large_ = false;
};

/// int8 to int64, or bool: what Hugging Face's datasets stores token lists as, after it has narrowed them.
bool holds_integers(const arrow::DataType& type);

/// Widens values[begin, end) of an integer array.
std::vector<int64_t> read_integers(const arrow::Array& values, int64_t begin, int64_t end);

bool holds_waveform(const arrow::DataType& type);  ///< float32, float64, or int16 (PCM)

/// values[begin, end) of such an array, in place.
Waveform read_waveform(const arrow::Array& values, int64_t begin, int64_t end);

}  // namespace mdl
