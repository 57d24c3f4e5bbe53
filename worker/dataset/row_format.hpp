#pragma once

#include <filesystem>
#include <optional>

namespace mdl::worker::dataset {

/// How a file of rows is written: values with commas or tabs between them and the columns' names first, or an object in
/// JSON in each line.
enum class RowFormat { csv, tsv, jsonl };

/// By the file's ending, as the Python tool tells a CSV file: .csv, .tsv or .jsonl. Nothing for another one.
std::optional<RowFormat> row_format(const std::filesystem::path& path);

/// Whether a dataset option names a file of rows, rather than a dataset folder.
inline bool is_row_file(const std::filesystem::path& path) {
  return row_format(path).has_value();
}

/// ".csv" and so on.
const char* row_ending(RowFormat format);

}  // namespace mdl::worker::dataset
