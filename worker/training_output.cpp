#include "worker/training_output.hpp"

#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"
#include "common/file_overlap.hpp"
#include "common/folder_place.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/data/csv_dataset.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

void check_output(const fs::path& output) {
  fs::path existing = fs::absolute(output);
  while (!fs::exists(existing)) { existing = existing.parent_path(); }
  if (!fs::is_directory(existing)) {
    throw UsageError(str_cat("--output ", output.string(), ": ", existing.string(), " is a file, not a folder"));
  }
  if (::access(existing.c_str(), W_OK | X_OK) != 0) {
    throw UsageError(str_cat("--output ", output.string(), ": ", describe_errno("cannot write to", existing, errno)));
  }
  find_folder_place(output / "final");
}

void check_inputs_stay(const training::TrainOptions& options, const fs::path& model_folder) {
  std::vector<fs::path> written = {options.output / "final"};
  if (fs::is_directory(options.output)) {
    for (const fs::path& folder : training::checkpoint::list_checkpoints(options.output)) { written.push_back(folder); }
  }
  const auto& data = options.train_datasets.paths;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (dataset::is_row_file(data[i])) { written.push_back(training::data::converted_folder(options, "train", i)); }
  }
  if (options.eval_dataset && dataset::is_row_file(*options.eval_dataset)) {
    written.push_back(training::data::converted_folder(options, "eval", 0));
  }
  std::vector<std::pair<const char*, fs::path>> inputs = {{"--model-name", model_folder}};
  for (const fs::path& path : options.train_datasets.paths) { inputs.emplace_back("--train-dataset", path); }
  if (options.eval_dataset) { inputs.emplace_back("--eval-dataset", *options.eval_dataset); }
  if (options.initial_adapter) { inputs.emplace_back("--initial-adapter", *options.initial_adapter); }
  for (const fs::path& folder : written) {
    for (const auto& [name, path] : inputs) {
      if (!lies_in(path, folder)) { continue; }
      throw UsageError(
          str_cat(name, " ", path.string(), " lies in ", folder.string(), ", which this run would replace"),
          "Give another --output.");
    }
  }
}

}  // namespace

void check_training_output(const training::TrainOptions& options, const fs::path& model_folder) {
  check_output(options.output);
  check_inputs_stay(options, model_folder);
}

}  // namespace mdl::worker
