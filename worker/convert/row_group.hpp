#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "worker/convert/convert_options.hpp"
#include "worker/convert/row.hpp"
#include "worker/convert/row_reader.hpp"

namespace mdl::worker::convert {

/// Rows that are padded together and become one record batch.
struct RowGroup {
  std::shared_ptr<arrow::RecordBatch> batch;  ///< null where bad rows keep the group from being used
  std::vector<RowProblem> problems;
};

/// Converts a group. With `skip_bad_rows` the batch holds the rows that are good, if there are any.
RowGroup convert_group(std::span<const Row> rows, const RowReader& reader, const ConvertOptions& options);

/// Bytes that a group of such rows takes in a data file.
std::int64_t group_bytes(std::span<const CheckedRow> rows, AudioEncoding encoding);

}  // namespace mdl::worker::convert
