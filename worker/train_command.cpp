#include "worker/train_command.hpp"

#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "common/atomic_file.hpp"
#include "common/atomic_folder.hpp"
#include "common/error.hpp"
#include "common/exception_text.hpp"
#include "common/file_overlap.hpp"
#include "common/folder_place.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/adapter/running_statistics.hpp"
#include "worker/adapter/unquantized.hpp"
#include "worker/cli/model_folder.hpp"
#include "worker/dataset/dataset_folder.hpp"
#include "worker/info/describe_model.hpp"
#include "worker/loading_bar.hpp"
#include "worker/processor/pad_token.hpp"
#include "worker/training/checkpoint/checkpoint.hpp"
#include "worker/training/checkpoint/identify_run.hpp"
#include "worker/training/checkpoint/job_identity.hpp"
#include "worker/training/checkpoint/resume.hpp"
#include "worker/training/data/csv_dataset.hpp"
#include "worker/training/loop/trainer.hpp"
#include "worker/training/precision.hpp"
#include "worker/training/train_options.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAdapterWeights = "adapter_model.safetensors";

/// Throws when OUTPUT cannot be made or written to, without making it: a run that fails a later check leaves nothing.
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

/// Throws when something that the run reads lies in a folder of OUTPUT that it would replace or remove.
void check_inputs_stay(const training::TrainOptions& options, const fs::path& model_folder) {
  std::vector<fs::path> written = {options.output / "final"};
  if (fs::is_directory(options.output)) {
    for (const fs::path& folder : training::checkpoint::list_checkpoints(options.output)) { written.push_back(folder); }
  }
  std::vector<std::pair<const char*, fs::path>> inputs = {{"--model-name", model_folder},
                                                          {"--train-dataset", options.train_dataset}};
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

/// What all workers must agree on; see ProcessGroup::require_same.
std::string facts(const training::TrainOptions& options, int64_t train_rows, int64_t eval_rows, at::ScalarType dtype) {
  return str_cat(
      "an adapter of ", adapter::describe(options.lora), "\n", adapter::adapter_config_text(options.lora, "", {}),
      "--lr ", options.learning_rate, "\n--num-epochs ", options.epochs, "\n--warmup-steps ", options.warmup_steps,
      "\n--batch-size ", options.batch_size, "\n--gradient-accumulation-steps ", options.accumulation_steps,
      "\n--seed ", options.seed, "\n--skip-bad-samples ", options.skip_bad_samples, "\n--eval-steps ",
      options.eval_steps.value, "\n--eval-batch-size ", options.eval_batch_size.value_or(options.batch_size),
      "\n--eval-accumulation-steps ", options.eval_accumulation_steps.value_or(0), "\n--bf16 ", dtype == at::kBFloat16,
      "\n--quantization ", options.quantization ? options.quantization->name() : "none", "\n--batch-norm ",
      static_cast<int>(options.batch_norm), "\na training dataset of ", train_rows, " rows\nan evaluation dataset of ",
      eval_rows, " rows\n");
}

/// The run's adapters become what --initial-adapter is.
void adopt_initial_adapter(training::TrainOptions& options, const model::ModelConfig& model) {
  const auto adapter = adapter::AdapterFolder::load(*options.initial_adapter, adapter::AdapterUse::training);
  adapter::check_adapter(model, adapter);
  options.lora = adapter::adopt_lora(options.given_lora, adapter.config.lora, adapter.config_file().string(),
                                     adapter::linear_layer_names(model));
}

/// The same with the adapter of a checkpoint, which only rank 0 needs to reach: `text` is its configuration.
void adopt_checkpoint(training::TrainOptions& options, const model::ModelConfig& model, const fs::path& checkpoint,
                      const std::string& text) {
  const fs::path file = checkpoint / "adapter_config.json";
  const adapter::AdapterConfig adapter = adapter::parse_adapter_config(text, file, adapter::AdapterUse::training);
  options.lora =
      adapter::adopt_lora(options.given_lora, adapter.lora, file.string(), adapter::linear_layer_names(model));
}

void announce(const distributed::ProcessGroup& group, at::Device device) {
  if (!group.is_first() || device.is_cuda()) { return; }
  log::warning("no CUDA device: training on the CPU",
               group.is_alone() ? "" : str_cat(" in ", group.world_size(), " processes joined by Gloo"));
}

void print_parameter_counts(model::MiDashengLM& model) {
  const adapter::ParameterCounts counts = adapter::count_parameters(model);
  std::printf("trainable params: %s || all params: %s || trainable%%: %.4f\n",
              info::with_commas(counts.trainable).c_str(), info::with_commas(counts.all).c_str(),
              100.0 * static_cast<double>(counts.trainable) / static_cast<double>(counts.all));
  std::fflush(stdout);
}

/// How the run begins, decided by rank 0 and the same on all ranks.
struct BegunRun {
  training::checkpoint::RunIdentity identity;  ///< rank 0 only
  training::checkpoint::RunStart start;        ///< rank 0 only
  std::optional<fs::path> checkpoint;          ///< to go on from
};

/// Every rank calls it, and gets the same Error where the run may not begin. Rank 0 tells what there is to tell. A run
/// that goes on takes over what its checkpoint says of the adapters.
BegunRun begin_run(training::TrainOptions& options, const model::ModelConfig& config, const fs::path& model_folder,
                   const dataset::DatasetFolder& train_data, at::ScalarType dtype, distributed::ProcessGroup& group,
                   const std::vector<std::string>& agents) {
  BegunRun run;
  std::string problem, adapter;
  if (group.is_first()) {
    try {
      if (!training::checkpoint::find_checkpoint_of_job(options.output, agents)) {
        training::checkpoint::check_resume_option(options.resume_from_checkpoint, options.output);
      }
      run.identity = training::checkpoint::identify_run(options, model_folder, train_data, dtype, group.world_size());
      run.start = training::checkpoint::plan_start(
          training::checkpoint::look_around(options, run.identity, config, model_folder, agents));
      problem = run.start.error;
      const auto& found = run.start.checkpoint;
      if (problem.empty() && found) { adapter = read_text(found->folder / "adapter_config.json"); }
    } catch (const std::exception& error) { problem = describe_exception(error); }
  }
  problem = group.share("start", problem);
  if (!problem.empty()) { throw UsageError(problem); }
  const auto& found = run.start.checkpoint;
  const std::string where = group.share("checkpoint", found ? found->folder.string() : std::string());
  if (!where.empty()) {
    run.checkpoint = where;
    adopt_checkpoint(options, config, *run.checkpoint, group.share("adapter_config", adapter));
    training::checkpoint::set_adapter(run.identity, options.lora);
  }
  if (found && !found->identity.run.empty() && !run.start.branches) {
    run.identity.run = found->identity.run;
    run.identity.begun = found->identity.begun;
  }
  for (const std::string& warning : run.start.warnings) { log::warning(warning); }
  for (const std::string& news : run.start.news) { log::news(news); }
  return run;
}

/// Whether a run of which nothing was left to do leaves final/ as it is, which is told.
bool leaves_final(const training::TrainOptions& options, const training::checkpoint::RunStart& start,
                  int64_t last_step) {
  const fs::path folder = options.output / "final";
  const training::checkpoint::FinalOrigin origin{
      .run = start.checkpoint ? start.checkpoint->identity.run : std::string(), .step = last_step};
  if (!training::checkpoint::final_is_there(folder, origin, start.restarted)) { return false; }
  log::news("nothing is left to do: step ", last_step, " was the last one. ", folder.string(),
            " stays as it is; without it, this command would write it anew");
  return true;
}

}  // namespace

int run_train(const std::vector<std::string>& arguments) {
  if (std::find_if(arguments.begin(), arguments.end(),
                   [](const std::string& a) { return a == "--help" || a == "-h"; }) != arguments.end()) {
    std::cout << training::train_help();
    return 0;
  }
  training::TrainOptions options = training::parse_train_options(arguments);
  const auto environment = process::read_worker_environment();
  const at::Device device = distributed::choose_device(environment);
  const at::ScalarType dtype = training::choose_dtype(
      options.bf16, process::lookup_environment("ACCELERATE_MIXED_PRECISION"), distributed::prefers_bf16(device));

  const layers::Quantize quantize =
      options.quantization ? quantization::make_quantizer(*options.quantization, device) : layers::Quantize();

  const fs::path model_folder = cli::find_model_folder(options.model_name);
  const model::ModelConfig config = model::load_config(model_folder);
  const int64_t pad_token_id = processor::read_pad_token_id(model_folder);
  std::optional<dataset::DatasetFolder> train_data, eval_data;
  if (!dataset::is_csv(options.train_dataset)) { train_data.emplace(options.train_dataset); }
  if (options.eval_dataset && !dataset::is_csv(*options.eval_dataset)) { eval_data.emplace(*options.eval_dataset); }
  if (options.initial_adapter) { adopt_initial_adapter(options, config); }
  check_output(options.output);
  check_inputs_stay(options, model_folder);
  // Only rank 0 reads the checkpoint, which need not lie on a disk that the others see.
  const bool reads_checkpoint = !environment || environment->rank == 0;
  // Under a launcher it may have started this job again, whose own checkpoint counts then: see begin_run().
  if (reads_checkpoint && training::checkpoint::launcher_agent().empty()) {
    training::checkpoint::check_resume_option(options.resume_from_checkpoint, options.output);
  }

  distributed::ProcessGroup group = environment && environment->world_size > 1
                                        ? distributed::ProcessGroup(*environment, device, options.ddp_timeout)
                                        : distributed::ProcessGroup();
  const bool first_of_host = !environment || environment->local_rank == 0;
  const auto convert = [&](const fs::path& csv, const char* name) {
    return dataset::DatasetFolder(training::data::convert_csv(csv, name, options, model_folder, group, first_of_host));
  };
  if (!train_data) { train_data.emplace(convert(options.train_dataset, "train")); }
  if (options.eval_dataset && !eval_data) { eval_data.emplace(convert(*options.eval_dataset, "eval")); }
  group.require_same(facts(options, train_data->size(), eval_data ? eval_data->size() : 0, dtype));
  announce(group, device);

  const std::vector<std::string> agents = group.gather("agents", training::checkpoint::launcher_agent());
  const BegunRun run = begin_run(options, config, model_folder, *train_data, dtype, group, agents);
  if (group.is_first() && run.checkpoint && options.initial_adapter) {
    log::news("--initial-adapter ", options.initial_adapter->string(),
              " does not count: the run goes on from its checkpoint");
  }
  if (group.is_first() && (run.checkpoint || options.initial_adapter)) {
    std::cout << "starting from the adapter in "
              << (run.checkpoint ? *run.checkpoint : *options.initial_adapter).string() << ": "
              << adapter::describe(options.lora) << std::endl;
  }

  torch::manual_seed(options.seed);
  const auto model = model::load_model(model_folder, dtype, device, quantize,
                                       group.is_first() ? loading_bar(stdout) : model::LoadProgress());
  adapter::attach_lora(*model, options.lora, options.seed);
  if (run.checkpoint && reads_checkpoint) {
    adapter::load_lora(*model, *run.checkpoint / kAdapterWeights);
  } else if (!run.checkpoint && options.initial_adapter) {
    adapter::load_lora(*model, *options.initial_adapter / kAdapterWeights);
    adapter::load_running_statistics(*model, *options.initial_adapter);
  }
  if (group.is_first()) { print_parameter_counts(*model); }

  if (group.is_first() && fs::is_directory(options.output)) { training::checkpoint::finish_removals(options.output); }
  for (const fs::path& folder : run.start.remove) { remove_folder_atomically(folder); }

  bool done_before = false;
  int64_t last_step = 0;
  {
    training::loop::Trainer trainer({.options = options,
                                     .model_folder = model_folder,
                                     .model = *model,
                                     .train_data = *train_data,
                                     .eval_data = eval_data ? &*eval_data : nullptr,
                                     .group = group,
                                     .pad_token_id = pad_token_id,
                                     .checkpoint = run.checkpoint,
                                     .agents = agents,
                                     .identity = run.identity,
                                     .superseded = run.start.superseded});
    done_before = trainer.nothing_left();
    if (!done_before) { trainer.train(); }
    last_step = trainer.step();
  }
  if (group.is_first() && !(done_before && leaves_final(options, run.start, last_step))) {
    const auto to_save = options.quantization && options.merge_lora
                             ? adapter::unquantized_copy(*model, options.lora, model_folder)
                             : model;
    const fs::path final_folder =
        training::checkpoint::save_final(options.output, *to_save, options.lora, model_folder, options.merge_lora,
                                         {.run = run.identity.run, .step = last_step});
    std::cout << "saved " << final_folder.string() << std::endl;
  }
  // A rank is done when the job is: where rank 0 cannot write the last files, all start again from the last checkpoint,
  // which a launcher whose workers have ended well would not do.
  group.meet();
  return 0;
}

}  // namespace mdl::worker
