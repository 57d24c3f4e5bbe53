#include "worker/training/data/csv_dataset.hpp"

#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/convert/converter.hpp"

namespace mdl::worker::training::data {
namespace {

namespace fs = std::filesystem;

/// Converts, and returns what is wrong as a text, so that it can be told to the other ranks.
std::string try_to_convert(const convert::ConvertOptions& options, bool is_first) {
  try {
    fs::create_directories(options.output.parent_path());
    const convert::ConvertSummary summary = convert::convert_dataset(options);
    const bool all_found = summary.shards_found == summary.shards;
    if (all_found && !is_first) { return {}; }
    log::news(options.input.string(),
              all_found ? " was converted before: " : " is converted: ", options.output.string(), ", ", summary.rows,
              " rows", summary.bad_rows ? str_cat("; ", summary.bad_rows, " bad ones left out") : "");
    return {};
  } catch (const std::exception& error) { return describe_exception(error); }
}

}  // namespace

fs::path convert_csv(const fs::path& csv, const std::string& name, const TrainOptions& options,
                     const fs::path& model_folder, distributed::ProcessGroup& group, bool first_of_host) {
  convert::ConvertOptions convert;
  convert.input = csv;
  convert.output = options.output / str_cat("dataset-", name);
  convert.model_folder = model_folder;
  convert.defaults = options.csv.defaults;
  convert.group_size = options.csv.group_size;
  convert.workers = options.csv.workers;
  convert.keep_same = true;
  convert.skip_bad_rows = options.skip_bad_samples;

  std::string problem = group.is_first() ? try_to_convert(convert, true) : std::string();
  problem = group.share(str_cat("convert/", name), problem);
  if (!problem.empty()) { throw UsageError(problem); }
  // Where hosts share the folder, this only finds what rank 0 has made.
  const bool elsewhere = first_of_host && !group.is_first();
  for (const std::string& fault :
       group.share_all(str_cat("converted/", name), elsewhere ? try_to_convert(convert, false) : "")) {
    if (!fault.empty()) { throw UsageError(fault); }
  }
  return convert.output;
}

}  // namespace mdl::worker::training::data
