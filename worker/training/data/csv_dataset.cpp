#include "worker/training/data/csv_dataset.hpp"

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/convert/converter.hpp"
#include "worker/distributed/shared_work.hpp"

namespace mdl::worker::training::data {
namespace {

namespace fs = std::filesystem;

bool checkpoint_is_there(const fs::path& output) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(output, error)) {
    if (entry.path().filename().string().starts_with("checkpoint-")) { return true; }
  }
  return false;
}

void convert_dataset(const convert::ConvertOptions& options, bool is_first) {
  fs::create_directories(options.output.parent_path());
  const convert::ConvertSummary summary = convert::convert_dataset(options);
  const bool all_found = summary.shards_found == summary.shards;
  if (all_found && !is_first) { return; }
  log::news(options.input.string(), all_found ? " was converted before: " : " is converted: ", options.output.string(),
            ", ", summary.rows, " rows", summary.bad_rows ? str_cat("; ", summary.bad_rows, " bad ones left out") : "");
}

}  // namespace

fs::path converted_folder(const TrainOptions& options, const std::string& name, std::size_t index) {
  return options.output / (index == 0 ? str_cat("dataset-", name) : str_cat("dataset-", name, "-", index + 1));
}

void convert_csv(const fs::path& csv, const fs::path& output, const TrainOptions& options, const fs::path& model_folder,
                 distributed::ProcessGroup& group, bool first_of_host) {
  convert::ConvertOptions convert;
  convert.input = csv;
  convert.output = output;
  convert.model_folder = model_folder;
  convert.defaults = options.csv.defaults;
  convert.group_size = options.csv.group_size;
  convert.workers = options.csv.workers;
  convert.keep_same = true;
  convert.may_replace = options.overwrite_output || !checkpoint_is_there(options.output);
  convert.skip_bad_rows = options.skip_bad_samples;

  const std::string name = output.filename().string();
  distributed::share_work(group, str_cat("convert/", name), [&] {
    convert_dataset(convert, true);
    return std::string();
  });
  // Where hosts share the folder, this only finds what rank 0 has made.
  distributed::finish_work(group, str_cat("converted/", name), [&] {
    if (first_of_host && !group.is_first()) { convert_dataset(convert, false); }
  });
}

}  // namespace mdl::worker::training::data
