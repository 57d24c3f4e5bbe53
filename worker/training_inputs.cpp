#include "worker/training_inputs.hpp"

#include <algorithm>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/automatic_type.hpp"
#include "worker/convert/row_reader.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/trained_checkpoint.hpp"
#include "worker/training/checkpoint/job_identity.hpp"
#include "worker/training/checkpoint/resume.hpp"
#include "worker/training/data/csv_dataset.hpp"
#include "worker/training/data/mixture.hpp"
#include "worker/training/data/training_data.hpp"
#include "worker/training/precision.hpp"
#include "worker/training_output.hpp"

namespace mdl::worker {
namespace {

namespace fs = std::filesystem;

/// The run's adapters become what `adapter`, the initial one, is.
void adopt_initial_adapter(training::TrainOptions& options, const adapter::AdapterFolder& adapter,
                           const model::ModelConfig& model) {
  adapter::check_adapter(model, adapter);
  options.lora = adapter::adopt_lora(options.given_lora, adapter.config.lora, adapter.config_file().string(),
                                     adapter::linear_layer_names(model));
}

adapter::BaseModel base_model_of(const hub::FoundModel& found) {
  if (!found.name) { return {found.folder}; }
  return {found.folder, found.name->repository(), found.name->revision, found.at_modelscope};
}

std::optional<adapter::AdapterFolder> read_initial_adapter(const training::TrainOptions& options) {
  if (!options.initial_adapter) { return std::nullopt; }
  return adapter::AdapterFolder::load(*options.initial_adapter, adapter::AdapterUse::training);
}

/// Only rank 0 reads the checkpoint, which need not lie on a disk that the others see.
bool is_first(const std::optional<process::WorkerEnvironment>& environment) {
  return !environment || environment->rank == 0;
}

std::int64_t row_files(const training::TrainOptions& options) {
  const auto count = std::ranges::count_if(options.train_datasets.paths, dataset::is_row_file);
  return count + (options.eval_dataset && dataset::is_row_file(*options.eval_dataset) ? 1 : 0);
}

/// Of the datasets that are files of rows, what needs no model. Every host has them, and each rank tells of it, as of
/// what a conversion finds.
void check_csv_files(const training::TrainOptions& options) {
  const auto check = [&](const fs::path& path) {
    if (!dataset::is_row_file(path)) { return; }
    convert::check_without_model(path, options.csv.defaults, convert::RowPurpose::training, options.skip_bad_samples);
  };
  for (const fs::path& path : options.train_datasets.paths) { check(path); }
  if (options.eval_dataset) { check(*options.eval_dataset); }
}

/// Finds the model. A mistake that shows without the weights, of which a download may be 33 GB, is told before it.
hub::FoundModel find_trained_model(const training::TrainOptions& options,
                                   const std::optional<process::WorkerEnvironment>& environment) {
  const auto find = [&](hub::Parts parts) {
    return hub::find_model(options.model_name, parts, options.from_modelscope);
  };
  // Of several files the last one may be wrong, which is not to be told behind the conversion of the others.
  if (hub::needs_download(options.model_name, hub::Parts::all, options.from_modelscope) || row_files(options) > 1) {
    check_csv_files(options);
  }
  const fs::path folder = find(hub::Parts::without_weights).folder;
  check_trained_configuration(folder);
  check_training_output(options, folder);
  // Under a launcher it may have started this job again, whose own checkpoint counts then: see begin_run().
  if (is_first(environment) && training::checkpoint::launcher_agent().empty()) {
    training::checkpoint::check_resume_option(options.resume_from, options.output);
  }
  hub::FoundModel found = find(hub::Parts::all);
  if (found.name && is_first(environment)) { log::news("model: ", hub::describe(found)); }
  return found;
}

using Folders = dataset::DatasetView::Folders;

Folders open_folders(const std::vector<fs::path>& paths) {
  Folders folders;
  for (const fs::path& path : paths) {
    folders.push_back(dataset::is_row_file(path) ? nullptr : std::make_shared<const dataset::DatasetFolder>(path));
  }
  return folders;
}

std::vector<fs::path> eval_paths(const training::TrainOptions& options) {
  return options.eval_dataset ? std::vector<fs::path>{*options.eval_dataset} : std::vector<fs::path>();
}

/// What was done with rows that nobody asked for by name.
void tell_choice(const training::TrainOptions& options, const training::data::TrainingData& data) {
  if (options.max_length) {
    log::news("--max-length ", *options.max_length, ": ", data.too_long,
              data.too_long == 1 ? " row is longer and is left out" : " rows are longer and are left out");
  }
  if (options.eval_split) {
    const int64_t held_out = data.eval->size();
    log::news("--eval-split ", *options.eval_split, ": ", held_out, " of ", data.train.size() + held_out,
              " rows are held out for the evaluation");
  }
}

/// How an epoch is made up; empty without weights. Throws UsageError where a dataset has no part of it.
std::string describe_mixture(const training::TrainOptions& options, const dataset::DatasetView& data) {
  if (options.train_datasets.weights.empty()) { return {}; }
  const training::data::Mixture mixture{.rows = data.part_sizes(), .weights = options.train_datasets.weights};
  const std::vector<int64_t> parts = training::data::epoch_parts(mixture);
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string folder = data.folders()[i]->path().string();
    if (parts[i] == 0) {
      throw UsageError(
          str_cat("--train-dataset ", folder, ": its weight gives it no row of an epoch's ", mixture.size()),
          "Give it a larger weight, or leave it out.");
    }
    text += str_cat(i == 0 ? "" : "; ", parts[i], " of ", folder, ", which has ", mixture.rows[i]);
  }
  return str_cat("an epoch takes ", text, " rows");
}

/// Checkpoints and final/ would lie among the files of a dataset.
void require_output_beside(const fs::path& output, const dataset::DatasetView::Folders& folders) {
  for (const auto& folder : folders) {
    std::error_code none;
    if (fs::equivalent(output, folder->path(), none)) {
      throw UsageError(str_cat("--output ", output.string(), " is the folder of a dataset of this run"),
                       "Name another folder.");
    }
  }
}

/// Batches of tokens are counted epoch by epoch, before the first step.
void require_countable_steps(const training::TrainOptions& options, int64_t rows) {
  constexpr double kMostRows = 2e8;  // half a minute
  const double all = options.epochs * static_cast<double>(rows);
  if (options.max_steps || all <= kMostRows) { return; }
  throw UsageError(str_cat("--num-epochs ", options.epochs, " of ", rows, " rows with --batch-tokens: the steps of so ",
                           "many epochs cannot be counted in time"),
                   "Say --max-steps N, which ends the run as well, or fewer epochs.");
}

}  // namespace

TrainingInputs read_training_inputs(const training::TrainOptions& options) {
  const auto environment = process::read_worker_environment();
  const distributed::Meeting meeting = distributed::meet_ranks(environment, options.device, options.ddp_timeout);
  const at::Device device = meeting.device;
  const at::ScalarType wanted = training::choose_dtype(
      options.bf16, process::lookup_environment("ACCELERATE_MIXED_PRECISION"), distributed::prefers_bf16(device));
  training::require_dtype(wanted, distributed::describe_gpu_without_bf16(device));
  training::choose_tf32(options.tf32, distributed::prefers_bf16(device));  // the GPUs that have the one have the other
  layers::Quantize quantize =
      options.quantization ? quantization::make_quantizer(*options.quantization, device) : layers::Quantize();
  Folders train_folders = open_folders(options.train_datasets.paths), eval_folders = open_folders(eval_paths(options));
  const auto initial_adapter = read_initial_adapter(options);
  const hub::FoundModel found = find_trained_model(options, environment);
  const fs::path& model_folder = found.folder;
  const TrainedCheckpoint checkpoint = read_trained_checkpoint(model_folder);
  const at::ScalarType dtype = options.bf16      ? wanted
                               : device.is_cpu() ? automatic_cpu_type(wanted, checkpoint.config, environment)
                                                 : automatic_type(wanted, checkpoint.config, environment);
  TrainingInputs inputs{
      .options = options,
      .environment = environment,
      .meeting = meeting,
      .dtype = dtype,
      .quantize = std::move(quantize),
      .model_folder = model_folder,
      .base_model = base_model_of(found),
      .config = checkpoint.config,
      .pad_token_id = checkpoint.pad_token_id,
      .train_folders = std::move(train_folders),
      .eval_folders = std::move(eval_folders),
  };
  inputs.options.lora.encoder_blocks = inputs.config.audio.names.blocks;
  if (options.given_lora.layers) { adapter::check_lora(inputs.config, inputs.options.lora); }
  if (initial_adapter) { adopt_initial_adapter(inputs.options, *initial_adapter, inputs.config); }
  return inputs;
}

void open_data(TrainingInputs& inputs, distributed::ProcessGroup& group) {
  const auto& options = inputs.options;
  const bool first_of_host = !inputs.environment || inputs.environment->local_rank == 0;
  const auto convert = [&](Folders& folders, const std::vector<fs::path>& paths, const char* name) {
    for (std::size_t i = 0; i < folders.size(); ++i) {
      if (folders[i]) { continue; }
      const fs::path folder = training::data::converted_folder(options, name, i);
      training::data::convert_csv(paths[i], folder, options, inputs.model_folder, group, first_of_host);
      folders[i] = std::make_shared<const dataset::DatasetFolder>(folder);
    }
  };
  convert(inputs.train_folders, options.train_datasets.paths, "train");
  convert(inputs.eval_folders, eval_paths(options), "eval");

  require_output_beside(options.output, inputs.train_folders);
  require_output_beside(options.output, inputs.eval_folders);
  const dataset::DatasetView train(inputs.train_folders);
  const auto eval =
      inputs.eval_folders.empty() ? std::nullopt : std::optional(dataset::DatasetView(inputs.eval_folders));
  const training::data::TrainingData data = training::data::choose_rows(
      train, eval, {.max_length = options.max_length, .eval_split = options.eval_split, .seed = options.seed});
  const std::string mixture = describe_mixture(options, data.train);
  if (group.is_first()) { tell_choice(options, data); }
  if (group.is_first() && !mixture.empty()) { log::news(mixture); }
  inputs.train_data = data.train;
  inputs.eval_data = data.eval;
  if (!options.batch_tokens) { return; }
  require_countable_steps(options, data.train.size());
  auto lengths = training::data::row_lengths(data.train, model::audio_tokens(inputs.config));
  training::data::require_rows_within(data.train, lengths, *options.batch_tokens);
  inputs.token_batches = {.most = *options.batch_tokens, .lengths = std::move(lengths)};
}

namespace {

/// When something else than a step is done, which all ranks do together.
std::string describe_occasions(const training::TrainOptions& options) {
  const training::BestModelOptions& best = options.best_model;
  return str_cat("--eval-strategy ", static_cast<int>(options.eval_strategy), "\n--eval-steps ",
                 options.eval_steps.value, "\n--save-strategy ", static_cast<int>(options.save_strategy),
                 "\n--save-steps ", options.save_steps.value, "\n--early-stopping-patience ", best.patience.value_or(0),
                 "\n--early-stopping-threshold ", best.threshold, "\n--greater-is-better ", best.greater_is_better,
                 "\n--metric-for-best-model ", best.metric.value_or("none"), "\n--eval-generate ",
                 options.eval_generate.value_or(0));
}

}  // namespace

std::string training_facts(const TrainingInputs& inputs) {
  const training::TrainOptions& options = inputs.options;
  return str_cat(
      "an adapter of ", adapter::describe(options.lora), "\n",
      adapter::adapter_config_text(options.lora, fs::path(), {}), "--lr ", options.learning_rate, "\n--num-epochs ",
      options.epochs, "\n--max-steps ", options.max_steps.value_or(-1), "\n--lr-scheduler-type ",
      options.lr_scheduler.describe(), "\n--warmup-steps ", options.warmup_steps.value, "\noptimizer ",
      options.optimizer.describe(), "\n--max-grad-norm ", options.max_grad_norm, "\n--batch-size ", options.batch_size,
      "\n--batch-tokens ", options.batch_tokens.value_or(0), "\n--gradient-accumulation-steps ",
      options.accumulation_steps, "\n--seed ", options.seed, "\n--skip-bad-samples ", options.skip_bad_samples, "\n",
      describe_occasions(options), "\n--eval-batch-size ", options.eval_batch_size.value_or(options.batch_size),
      "\n--eval-accumulation-steps ", options.eval_accumulation_steps.value_or(0), "\n--bf16 ",
      inputs.dtype == at::kBFloat16, "\n--tf32 ", options.tf32.value_or(false), "\n--quantization ",
      options.quantization ? options.quantization->name() : "none", "\n--batch-norm ",
      static_cast<int>(options.batch_norm), "\na training dataset of ", inputs.train_data->size(),
      " rows\nan evaluation dataset of ", inputs.eval_data ? inputs.eval_data->size() : 0, " rows\nweights ",
      options.train_datasets.shares(), "\n--eval-split ", options.eval_split.value_or(0), "\n--max-length ",
      options.max_length.value_or(0), "\n");
}

}  // namespace mdl::worker
