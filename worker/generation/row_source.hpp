#pragma once

#include <vector>

#include "worker/convert/row_file.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/dataset/sample.hpp"
#include "worker/generation/batch_answers.hpp"

namespace mdl::worker::generation {

/// Where the rows to answer come from: a file of rows, or a dataset folder.
class RowSource {
 public:
  RowSource() = default;
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;

  /// Checks all rows; their facts, in their order. UsageError lists the bad ones.
  virtual std::vector<convert::CheckedRow> check_all() const = 0;

  /// Reads some rows. What is wrong with one is told in the result.
  virtual LoadedRows load(const std::vector<convert::Row>& rows) const = 0;

  /// Loaded rows with their right answers behind them, labelled. They refer to `rows`.
  virtual std::vector<dataset::Sample> labelled(const LoadedRows& rows) const = 0;
};

}  // namespace mdl::worker::generation
