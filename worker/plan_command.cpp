#include "worker/plan_command.hpp"

#include <cmath>
#include <iostream>

#include "common/error.hpp"
#include "common/nvidia/nvml.hpp"
#include "common/standard_streams.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_folder.hpp"
#include "worker/automatic_type.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/layers/cpu_product.hpp"
#include "worker/plan/memory_plan.hpp"
#include "worker/plan/plan_options.hpp"
#include "worker/training/data/row_length.hpp"
#include "worker/training/data/training_data.hpp"
#include "worker/training/loop/answer_evaluation.hpp"

namespace mdl::worker {
namespace {

/// Of those rows that a training takes. A part for the evaluation is not taken off: it may be any.
dataset::DatasetView chosen_rows(const std::vector<std::filesystem::path>& datasets,
                                 const training::TrainOptions& options) {
  dataset::DatasetView::Folders folders;
  for (const auto& path : datasets) {
    if (dataset::is_row_file(path)) {
      throw UsageError(str_cat(path.string(), " is a file of rows, whose lengths nobody knows yet"),
                       "Convert it first (mdl-toolkit convert-dataset), or give --seconds and --tokens instead.");
    }
    folders.push_back(std::make_shared<const dataset::DatasetFolder>(path));
  }
  const dataset::DatasetView all(std::move(folders));
  return training::data::choose_rows(all, std::nullopt, {.max_length = options.max_length}).train;
}

std::optional<plan::HeaviestRows> evaluated_rows(const training::TrainOptions& options) {
  if (options.eval_dataset) { return plan::HeaviestRows(chosen_rows({*options.eval_dataset}, options)); }
  if (options.eval_split && !options.train_datasets.empty()) {
    return plan::HeaviestRows(chosen_rows(options.train_datasets.paths, options));
  }
  return std::nullopt;
}

plan::HeaviestRows planned_rows(const plan::PlanOptions& options, const model::ModelConfig& config) {
  if (options.train.train_datasets.empty()) {
    const auto samples =
        static_cast<int64_t>(std::ceil(options.seconds * static_cast<double>(config.audio.sample_rate)));
    const int64_t tokens = options.tokens.value_or(model::audio_token_count(samples, config) + 100);
    if (options.train.batch_tokens.value_or(tokens) < tokens) {
      throw UsageError(str_cat("--batch-tokens ", *options.train.batch_tokens, ": a row alone has ", tokens),
                       "See --seconds and --tokens.");
    }
    return plan::HeaviestRows(
        plan::RowSize{.samples = samples, .tokens = tokens, .labels = options.labels.value_or(50)});
  }
  const dataset::DatasetView rows = chosen_rows(options.train.train_datasets.paths, options.train);
  if (const auto most = options.train.batch_tokens) {
    const auto lengths = training::data::row_lengths(rows, model::audio_tokens(config));
    training::data::require_rows_within(rows, lengths, *most);
  }
  return plan::HeaviestRows(rows);
}

/// --batch-tokens, as far as the dataset can fill such a batch.
std::optional<int64_t> planned_tokens(const training::TrainOptions& options, const plan::HeaviestRows& rows) {
  constexpr int64_t kMostTokens = 10'000'000;
  if (!options.batch_tokens) { return std::nullopt; }
  const bool has_data = !options.train_datasets.empty();
  const int64_t tokens = has_data ? std::min(*options.batch_tokens, rows.most_tokens()) : *options.batch_tokens;
  if (tokens > kMostTokens) {
    throw UsageError(str_cat("--batch-tokens ", *options.batch_tokens, ": batches of more than ", kMostTokens,
                             " tokens are not planned"),
                     "No GPU has the memory for one.");
  }
  return tokens;
}

/// As train chooses it, on a GPU that has bfloat16 or, where that is wanted, on this CPU.
at::ScalarType planned_type(const training::TrainOptions& options, const model::ModelConfig& config) {
  if (options.bf16) { return *options.bf16 ? at::kBFloat16 : at::kFloat; }
  const bool on_cpu = options.device.what == device::Wish::What::cpu;
  if (on_cpu && !cpu_prefers_bf16(layers::cpu_multiplies_bfloat16(), config)) { return at::kFloat; }
  return automatic_type(at::kBFloat16, config, std::nullopt);
}

adapter::LoraConfig planned_lora(const training::TrainOptions& options, const model::ModelConfig& config) {
  adapter::LoraConfig lora = options.lora;
  lora.encoder_blocks = config.audio.names.blocks;
  if (!options.initial_adapter) { return lora; }
  const auto initial = adapter::AdapterFolder::load(*options.initial_adapter, adapter::AdapterUse::training);
  return adapter::adopt_lora(options.given_lora, initial.config.lora, initial.config_file().string(),
                             adapter::linear_layer_names(config));
}

}  // namespace

int run_plan(const std::vector<std::string>& arguments) {
  if (cli::asks_for_help(arguments)) {
    std::cout << plan::plan_help();
    return 0;
  }
  const plan::PlanOptions options = plan::parse_plan_options(arguments);
  if (options.printed_config) {
    std::cout << *options.printed_config;
    require_written_output();
    return 0;
  }
  const auto& wanted = options.train;
  const auto found = hub::find_model(wanted.model_name, hub::Parts::without_weights, wanted.from_modelscope);
  const model::ModelConfig config = model::load_config(found.folder, model::Tokenizer::may_be_missing);
  const at::ScalarType dtype = planned_type(wanted, config);
  const plan::HeaviestRows rows = planned_rows(options, config);
  const plan::PlannedRun run{
      .settings = plan::StepSettings{.config = config,
                                     .dtype = dtype,
                                     .lora = planned_lora(wanted, config),
                                     .quantization = wanted.quantization,
                                     .gradient_checkpointing = wanted.gradient_checkpointing,
                                     .frozen_batch_norm = wanted.batch_norm == training::BatchNorm::frozen},
      .rows = rows,
      .batch_size = wanted.batch_size,
      .batch_tokens = planned_tokens(wanted, rows),
      .eval_rows = evaluated_rows(wanted),
      .eval_batch_size = wanted.eval_batch_size,
      .answered_rows = wanted.eval_generate,
      .spare_tokens = training::loop::AnswerEvaluation::kSpareTokens,
      .accumulation_steps = wanted.accumulation_steps,
      .ranks = options.ranks,
      .merges = wanted.merge_lora};
  const auto memory = options.memory ? options.memory : nvidia::Nvml().least_memory();
  const plan::MemoryPlan memory_plan = plan::plan_memory(run);
  if (options.json) {
    std::cout << plan_json(run, memory_plan, memory).dump(2) << '\n';
  } else {
    std::cout << plan_table(run, memory_plan, memory, options.memory ? "--memory" : "the GPU here");
  }
  require_written_output();
  return 0;
}

}  // namespace mdl::worker
