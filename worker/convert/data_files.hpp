#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "worker/convert/convert_options.hpp"
#include "worker/convert/dataset_plan.hpp"
#include "worker/convert/row_reader.hpp"

namespace mdl::worker::convert {

/// The data files of a plan that a folder does not hold yet.
struct MissingFiles {
  std::vector<std::size_t> shards;
  std::vector<std::size_t> groups;  ///< of these
  std::int64_t bytes = 0;
  std::int64_t rows_found = 0;  ///< in the files that are there
};

MissingFiles find_missing_files(const DatasetPlan& plan, const PartialFolder& folder, std::span<const Row> rows);

/// Makes the missing data files in `folder`, on several threads, with a progress bar. Returns what is wrong with rows
/// whose sound turned out to be broken: with `skip_bad_rows` they are left out, with a warning each; without it the
/// files that they would be in are not kept. Throws Error when a file cannot be written.
std::vector<RowProblem> make_data_files(const MissingFiles& missing, const DatasetPlan& plan, std::span<const Row> rows,
                                        const RowReader& reader, const ConvertOptions& options,
                                        const std::filesystem::path& folder);

}  // namespace mdl::worker::convert
