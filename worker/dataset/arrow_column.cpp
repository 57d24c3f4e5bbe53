#include "worker/dataset/arrow_column.hpp"

#include <arrow/api.h>

#include <algorithm>

namespace mdl::worker::dataset {
namespace {

template <typename ArrayType>
std::vector<int64_t> widen(const arrow::Array& values, int64_t begin, int64_t end) {
  const auto* raw = static_cast<const ArrayType&>(values).raw_values();
  return {raw + begin, raw + end};
}

}  // namespace

std::optional<ListColumn> ListColumn::of(std::shared_ptr<arrow::Array> array) {
  ListColumn column;
  if (array->type_id() == arrow::Type::LIST) {
    column.values_ = static_cast<const arrow::ListArray&>(*array).values();
  } else if (array->type_id() == arrow::Type::LARGE_LIST) {
    column.values_ = static_cast<const arrow::LargeListArray&>(*array).values();
  } else if (array->type_id() == arrow::Type::FIXED_SIZE_LIST) {
    column.values_ = static_cast<const arrow::FixedSizeListArray&>(*array).values();
  } else {
    return std::nullopt;
  }
  column.array_ = std::move(array);
  return column;
}

int64_t ListColumn::begin(int64_t row) const {
  switch (array_->type_id()) {
    case arrow::Type::LARGE_LIST:
      return static_cast<const arrow::LargeListArray&>(*array_).value_offset(row);
    case arrow::Type::FIXED_SIZE_LIST:
      return static_cast<const arrow::FixedSizeListArray&>(*array_).value_offset(row);
    default:
      return static_cast<const arrow::ListArray&>(*array_).value_offset(row);
  }
}

int64_t ListColumn::end(int64_t row) const {
  return begin(row + 1);
}

bool ListColumn::is_null(int64_t row) const {
  return array_->IsNull(row);
}

std::optional<int64_t> ListColumn::first_null(int64_t row) const {
  if (values_->null_count() == 0) { return std::nullopt; }
  for (int64_t i = begin(row); i < end(row); ++i) {
    if (values_->IsNull(i)) { return i - begin(row); }
  }
  return std::nullopt;
}

bool holds_integers(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL:
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32:
    case arrow::Type::INT64:
    case arrow::Type::UINT8:
    case arrow::Type::UINT16:
    case arrow::Type::UINT32:
    case arrow::Type::UINT64:
      return true;
    default:
      return false;
  }
}

std::vector<int64_t> read_integers(const arrow::Array& values, int64_t begin, int64_t end) {
  switch (values.type_id()) {
    case arrow::Type::INT8:
      return widen<arrow::Int8Array>(values, begin, end);
    case arrow::Type::INT16:
      return widen<arrow::Int16Array>(values, begin, end);
    case arrow::Type::INT32:
      return widen<arrow::Int32Array>(values, begin, end);
    case arrow::Type::INT64:
      return widen<arrow::Int64Array>(values, begin, end);
    case arrow::Type::UINT8:
      return widen<arrow::UInt8Array>(values, begin, end);
    case arrow::Type::UINT16:
      return widen<arrow::UInt16Array>(values, begin, end);
    case arrow::Type::UINT32:
      return widen<arrow::UInt32Array>(values, begin, end);
    case arrow::Type::UINT64:
      return widen<arrow::UInt64Array>(values, begin, end);
    default: {
      std::vector<int64_t> bits;  // a column of 0 and 1 may be stored as bool
      for (int64_t i = begin; i < end; ++i) {
        bits.push_back(static_cast<const arrow::BooleanArray&>(values).Value(i));
      }
      return bits;
    }
  }
}

bool holds_waveform(const arrow::DataType& type) {
  return type.id() == arrow::Type::FLOAT || type.id() == arrow::Type::DOUBLE || type.id() == arrow::Type::INT16 ||
         type.id() == arrow::Type::HALF_FLOAT;
}

Waveform read_waveform(const arrow::Array& values, int64_t begin, int64_t end) {
  const auto count = static_cast<size_t>(end - begin);
  if (values.type_id() == arrow::Type::FLOAT) {
    return std::span<const float>(static_cast<const arrow::FloatArray&>(values).raw_values() + begin, count);
  }
  if (values.type_id() == arrow::Type::INT16) {
    return std::span<const int16_t>(static_cast<const arrow::Int16Array&>(values).raw_values() + begin, count);
  }
  if (values.type_id() == arrow::Type::HALF_FLOAT) {
    static_assert(sizeof(Float16) == sizeof(*static_cast<const arrow::HalfFloatArray&>(values).raw_values()));
    const auto* const bits = static_cast<const arrow::HalfFloatArray&>(values).raw_values() + begin;
    return std::span<const Float16>(reinterpret_cast<const Float16*>(bits), count);
  }
  return std::span<const double>(static_cast<const arrow::DoubleArray&>(values).raw_values() + begin, count);
}

}  // namespace mdl::worker::dataset
