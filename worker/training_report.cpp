#include "worker/training_report.hpp"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "common/command/shell_words.hpp"
#include "common/host.hpp"
#include "common/str_cat.hpp"
#include "common/version.hpp"
#include "worker/cli/locale_charset.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/process/typed_command.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/run_end.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;
using reports::page::Fact;
using reports::page::FactTable;

double bytes_of(const fs::path& folder) {
  double bytes = 0;
  for (const fs::path& file : dataset::list_data_files(folder)) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(file, error);
    if (!error) { bytes += static_cast<double>(size); }
  }
  return bytes;
}

std::string describe_data(const dataset::DatasetView& data) {
  double bytes = 0;
  int64_t rows = 0;
  for (const auto& folder : data.folders()) {
    bytes += bytes_of(folder->path());
    rows += folder->size();
  }
  const std::string of_all = rows == data.size() ? "" : str_cat(" of ", reports::page::grouped(rows));
  return str_cat(reports::page::grouped(data.size()), of_all, " rows, ", reports::page::bytes_text(bytes), ", ",
                 data.names());
}

/// Hashes, by which runs are compared, and what the other tables have.
bool is_shown_elsewhere(const std::string& setting) {
  return setting == "base model" || setting == "ranks" || setting.ends_with("of the training data");
}

FactTable options_table(const TrainingInputs& inputs, const training::checkpoint::RunIdentity& identity) {
  FactTable table{.title = "Options", .facts = {{"--output", fs::absolute(inputs.options.output).string()}}};
  for (const auto* settings : {&identity.fixed, &identity.changeable}) {
    for (const auto& [name, value] : *settings) {
      if (!is_shown_elsewhere(name)) { table.facts.push_back({name, value}); }
    }
  }
  return table;
}

FactTable data_table(const TrainingInputs& inputs) {
  FactTable table{.title = "Model and data"};
  const adapter::BaseModel& model = inputs.base_model;
  table.facts = {{"model", model.revision ? str_cat(model.name, "@", *model.revision) : model.name},
                 {"type of its weights", inputs.dtype == at::kBFloat16 ? "bfloat16" : "float32"}};
  if (inputs.train_data) { table.facts.push_back({"training", describe_data(*inputs.train_data)}); }
  if (inputs.eval_data) { table.facts.push_back({"evaluation", describe_data(*inputs.eval_data)}); }
  return table;
}

std::string describe_cpu() {
  const int threads = at::get_num_threads();
  return str_cat("CPU, ", threads, threads == 1 ? " thread a rank" : " threads a rank");
}

/// A file of rows among the inputs, of which the evaluation's is the better one to ask about.
std::optional<fs::path> csv_among(const training::TrainOptions& options) {
  if (options.eval_dataset && dataset::is_row_file(*options.eval_dataset)) { return options.eval_dataset; }
  const auto& paths = options.train_datasets.paths;
  const auto found = std::ranges::find_if(paths, dataset::is_row_file);
  return found == paths.end() ? std::nullopt : std::optional(*found);
}

std::string model_to_name(const adapter::BaseModel& model) {
  return model.revision ? model.name + "@" + *model.revision : model.name;
}

}  // namespace

std::vector<FactTable> run_facts(const TrainingInputs& inputs, const distributed::ProcessGroup& group,
                                 const training::checkpoint::RunIdentity& identity) {
  const at::Device device = inputs.meeting.device;
  const FactTable versions{.title = "Versions",
                           .facts = {{"mdl-toolkit", version()},
                                     {"commit", *commit() ? commit() : "–"},
                                     {"LibTorch", TORCH_VERSION},
                                     {"host of rank 0", host_name()},
                                     {"device", device.is_cuda() ? device.str() : describe_cpu()},
                                     {"ranks", str_cat(group.world_size())}}};
  return {data_table(inputs), versions, options_table(inputs, identity)};
}

void tell_end(const TrainingInputs& inputs, const training::loop::RunRecord& record) {
  const training::TrainOptions& options = inputs.options;
  const reports::RunEnd end{.history = record.history,
                            .final_folder = options.output / "final",
                            .is_adapter = !options.merge_lora,
                            .base_model = model_to_name(inputs.base_model),
                            .checkpoint = record.checkpoint,
                            .checkpoint_is_best = record.checkpoint_is_best,
                            .page = record.page,
                            .clips = csv_among(options)};
  std::cout << reports::describe_end(end, cli::locale_is_utf8(), command::shell_quoted) << std::flush;
}

}  // namespace mdl::worker
