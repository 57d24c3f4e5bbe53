#pragma once

#include <cstdint>

#include "worker/convert/convert_options.hpp"

namespace mdl::worker::convert {

struct ConvertSummary {
  std::int64_t rows = 0;
  std::int64_t bad_rows = 0;  ///< that were left out
  std::int64_t bytes = 0;     ///< of the data files
  std::size_t shards = 0;
  std::size_t shards_found = 0;  ///< made by an earlier run
};

/// Converts a file of rows (CSV, TSV, JSONL) into a dataset folder, as the Python tool's convert-dataset.
///
/// First every row is checked (columns, prediction, the sound file's header, the text); UsageError lists all bad rows.
/// Then data files are written into OUTPUT.partial (OUTPUT/.partial where OUTPUT cannot be renamed, as
/// find_folder_place() has it), by several threads and with a bounded number of rows in memory. A run that was cut off
/// goes on there when input, options and checkpoint are the same. At the end the folder gets its name; an older dataset
/// of that name is replaced in that moment and not before.
///
/// Throws UsageError when OUTPUT is something else than a dataset folder; Error when nothing can be written there
/// (before a row is looked at), a sound turns out to be broken or cannot be downloaded (after the other rows were
/// tried, so that all are listed), or the disk is full.
ConvertSummary convert_dataset(const ConvertOptions& options);

}  // namespace mdl::worker::convert
