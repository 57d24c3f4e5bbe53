#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "worker/convert/row.hpp"
#include "worker/dataset/csv.hpp"
#include "worker/dataset/row_format.hpp"

namespace mdl::worker::convert {

struct RowFile {
  dataset::RowFormat format = dataset::RowFormat::csv;
  std::vector<Row> rows{};
  std::vector<RowProblem> problems{};         ///< of rows that cannot be read as such; they are in `rows` too
  std::vector<dataset::CsvRecord> records{};  ///< a table as it is: the header, then a record for each row
  std::vector<std::string> lines{};           ///< of JSONL: the line of each row
};

/// Reads a file of rows (see dataset::row_format(); one with another ending is taken for CSV). A table has the columns
/// audio, system_prompt, user_prompt and prediction, and others, which are ignored; a line of JSONL is an object with
/// these keys, or with "messages": see row_of_json(). Throws UsageError naming the file when it cannot be read, is not
/// UTF-8, has no rows, or is a table without the column audio, for example since something else separates its fields.
RowFile read_rows(const std::filesystem::path& path);

/// Throws UsageError that lists a table's columns when this one is not there.
void require_column(const RowFile& file, const std::filesystem::path& path, const std::string& name);

}  // namespace mdl::worker::convert
