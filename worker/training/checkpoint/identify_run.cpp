#include "worker/training/checkpoint/identify_run.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/adapter/adapter_config.hpp"
#include "worker/dataset/fingerprint.hpp"
#include "worker/tensors/safetensors.hpp"
#include "worker/training/checkpoint/optimizer_file.hpp"
#include "worker/training/data/data_progress.hpp"

namespace mdl::worker::training::checkpoint {
namespace {

namespace fs = std::filesystem;

// The names of what the older files of a checkpoint tell as well.
constexpr const char* kRows = "rows of the training data";
constexpr const char* kBaseModel = "base model";
constexpr const char* kSeed = "--seed";
constexpr const char* kSchedule = "schedule";
constexpr const char* kWeights = "weights of --train-dataset";
constexpr const char* kOptimizer = "optimizer";
constexpr const char* kOrder = "order of the rows";

std::string yes_or_no(bool value) {
  return value ? "true" : "false";
}

/// Batches of tokens are of rows that are sorted by their length.
const char* order_name(bool by_length) {
  return by_length ? "by length (--batch-tokens)" : "as drawn (--batch-size)";
}

std::string number_drawn() {
  std::random_device random;
  dataset::Fingerprint number;
  for (int i = 0; i < 4; ++i) { number.add(static_cast<std::int64_t>(random())); }
  return number.hex();
}

std::int64_t milliseconds_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> names_of_whole_targets(const adapter::LoraConfig& lora) {
  std::vector<std::string> names;
  for (const adapter::Target target : adapter::whole_targets(lora.targets)) {
    names.push_back(adapter::target_names({target}));
  }
  return names;
}

AdapterIdentity adapter_of(const adapter::LoraConfig& lora) {
  return {.rank = lora.rank,
          .alpha = lora.alpha,
          .dropout = lora.dropout,
          .rank_stabilized = lora.rank_stabilized,
          .rank_pattern = {lora.rank_pattern.begin(), lora.rank_pattern.end()},
          .alpha_pattern = {lora.alpha_pattern.begin(), lora.alpha_pattern.end()},
          .targets = adapter::describe_layers(lora),
          .whole = names_of_whole_targets(lora)};
}

Settings changeable_settings(const TrainOptions& options, at::ScalarType dtype, std::int64_t world_size) {
  std::string reports;
  for (const reports::ReportKind kind : options.report_to) {
    reports += str_cat(reports.empty() ? "" : ",", kind == reports::ReportKind::json ? "json" : "tensorboard");
  }
  const BestModelOptions& best = options.best_model;
  return {{"--num-epochs", setting_text(options.epochs)},
          {"--max-steps", options.max_steps ? str_cat(*options.max_steps) : "none"},
          {"--max-grad-norm", setting_text(options.max_grad_norm)},
          {"--logging-steps", setting_text(options.logging_steps.value)},
          {"--eval-strategy", strategy_name(options.eval_strategy)},
          {"--save-strategy", strategy_name(options.save_strategy)},
          {"--load-best-model-at-end", yes_or_no(best.load_at_end)},
          {"--early-stopping-patience", best.patience ? str_cat(*best.patience) : "none"},
          {"--early-stopping-threshold", setting_text(best.threshold)},
          {"--greater-is-better", yes_or_no(best.greater_is_better)},
          {"--batch-size", options.batch_tokens ? "none" : str_cat(options.batch_size)},
          {"--batch-tokens", options.batch_tokens ? str_cat(*options.batch_tokens) : "none"},
          {"--gradient-accumulation-steps", str_cat(options.accumulation_steps)},
          {"ranks", str_cat(world_size)},
          {"the base model's type", dtype == at::kBFloat16 ? "bfloat16" : "float32"},
          {"--tf32", yes_or_no(options.tf32.value_or(false))},
          {"--batch-norm", options.batch_norm == BatchNorm::batch ? "batch" : "frozen"},
          {"--skip-bad-samples", yes_or_no(options.skip_bad_samples)},
          {"--save-steps", setting_text(options.save_steps.value)},
          {"--save-total-limit", options.save_total_limit ? str_cat(*options.save_total_limit) : "none"},
          {"--eval-dataset", options.eval_dataset ? options.eval_dataset->string() : "none"},
          {"--eval-split", options.eval_split ? setting_text(*options.eval_split) : "none"},
          {"--max-length", options.max_length ? str_cat(*options.max_length) : "none"},
          {"--eval-generate", options.eval_generate ? str_cat(*options.eval_generate) : "none"},
          {"--metric-for-best-model", best.metric.value_or("none")},
          {"--eval-steps", setting_text(options.eval_steps.value)},
          {"--eval-batch-size", str_cat(options.eval_batch_size.value_or(options.batch_size))},
          {"--report-to", reports.empty() ? "none" : reports},
          {"--report-html", yes_or_no(options.report_html)}};
}

/// Whether a checkpoint's configuration names this run's base model: its name at a hub, or the folder that it lies in.
bool names_model(const adapter::AdapterConfig& config, const adapter::BaseModel& base_model) {
  std::error_code error;
  if (config.base_model.empty()) { return false; }
  return (config.base_model == base_model.name && config.base_revision == base_model.revision.value_or("")) ||
         fs::equivalent(config.base_model, base_model.folder, error);
}

/// What is younger than the checkpoints that do not speak of it: they had no weights, and batches of as many rows.
RunIdentity with_younger_settings(RunIdentity identity) {
  for (const auto& [name, before] :
       {std::pair(kWeights, TrainDatasets().shares()), std::pair(kOrder, std::string(order_name(false)))}) {
    if (std::ranges::find(identity.fixed, name, &Settings::value_type::first) == identity.fixed.end()) {
      identity.fixed.emplace_back(name, before);
    }
  }
  return identity;
}

}  // namespace

std::string fingerprint_of_data(const dataset::DatasetView& data) {
  constexpr std::int64_t kSounds = 32, kSamples = 1024;
  dataset::Fingerprint print;
  for (std::int64_t row = 0; row < data.size(); ++row) {
    const dataset::Sample sample = data.sample(row);
    print.add(sample.audio_length);
    for (std::size_t i = 0; i < sample.input_ids.size(); ++i) {
      if (sample.attention_mask[i] == 0) {
        continue;  // padding, of which a group's size decides
      }
      print.add(sample.input_ids[i]);
      print.add(sample.labels[i]);
    }
  }
  const std::int64_t sounds = std::min(kSounds, data.size());
  for (std::int64_t i = 0; i < sounds; ++i) {
    const dataset::Sample sample = data.sample(i * data.size() / sounds);
    const auto begin = static_cast<std::size_t>(std::max<std::int64_t>(0, sample.audio_length - kSamples) / 2);
    const auto end =
        static_cast<std::size_t>(std::min(static_cast<std::int64_t>(begin) + kSamples, sample.audio_length));
    std::visit(
        [&](const auto& values) {
          for (std::size_t at = begin; at < end; ++at) {
            print.add(static_cast<std::int64_t>(std::lrint(32768.0F * dataset::to_sample(values[at]))));
          }
        },
        sample.waveform);
  }
  return print.hex();
}

std::string fingerprint_of_weights(const fs::path& model_folder) {
  constexpr std::int64_t kBytes = 64;
  const tensors::SafetensorsFolder files(model_folder);
  dataset::Fingerprint print;
  for (const std::string& name : files.names()) {
    const tensors::SafetensorsEntry& entry = files.entry(name);
    print.add(name);
    print.add(static_cast<std::int64_t>(entry.dtype));
    for (const std::int64_t size : entry.shape) { print.add(size); }
    const at::Tensor tensor = files.tensor(name);
    const auto all = static_cast<std::int64_t>(entry.end - entry.begin);
    const std::int64_t taken = std::min(kBytes, all);
    const char* const bytes = static_cast<const char*>(tensor.const_data_ptr());
    print.add(std::string_view(bytes + (all - taken) / 2, static_cast<std::size_t>(taken)));
  }
  return print.hex();
}

RunIdentity identify_run(const TrainOptions& options, const fs::path& model_folder,
                         const dataset::DatasetView& train_data, at::ScalarType dtype, std::int64_t world_size) {
  RunIdentity identity;
  identity.fixed = {{kRows, str_cat(train_data.size())},
                    {"fingerprint of the training data", fingerprint_of_data(train_data)},
                    {kBaseModel, fingerprint_of_weights(model_folder)},
                    {"--quantization", options.quantization ? options.quantization->name() : "none"}};
  for (const auto& setting : adapter_of(options.lora).settings()) { identity.fixed.push_back(setting); }
  identity.fixed.emplace_back(kWeights, options.train_datasets.shares());
  identity.fixed.emplace_back(kOrder, order_name(options.batch_tokens.has_value()));
  const Settings rest = {{kSeed, str_cat(options.seed)},
                         {kOptimizer, options.optimizer.describe()},
                         {kLearningRateSetting, setting_text(options.learning_rate)},
                         {kSchedule, options.lr_scheduler.describe()},
                         {"--warmup-steps", setting_text(options.warmup_steps.value)}};
  identity.fixed.insert(identity.fixed.end(), rest.begin(), rest.end());
  identity.changeable = changeable_settings(options, dtype, world_size);
  identity.run = number_drawn();
  identity.begun = milliseconds_now();
  return identity;
}

void set_adapter(RunIdentity& identity, const adapter::LoraConfig& lora) {
  for (const auto& [name, value] : adapter_of(lora).settings()) {
    for (auto& setting : identity.fixed) {
      if (setting.first == name) { setting.second = value; }
    }
  }
}

RunIdentity identify_checkpoint(const fs::path& folder, const RunIdentity& now, const adapter::BaseModel& base_model) {
  if (fs::exists(folder / kRunIdentityFile)) {
    return with_younger_settings(parse_run_identity(read_text(folder / kRunIdentityFile)));
  }
  RunIdentity identity = with_younger_settings({});
  if (fs::exists(folder / data::kDataProgressFile)) {
    const data::DataProgress progress = data::parse_data_progress(read_text(folder / data::kDataProgressFile));
    identity.fixed.emplace_back(kRows, str_cat(progress.shape.rows));
    identity.fixed.emplace_back(kSeed, str_cat(progress.seed));
    identity.changeable = {{"--num-epochs", setting_text(progress.epochs)},
                           {"--batch-size", str_cat(progress.shape.batch_size)},
                           {"--gradient-accumulation-steps", str_cat(progress.shape.accumulation_steps)},
                           {"ranks", str_cat(progress.shape.world_size)}};
  }
  if (fs::exists(folder / "scheduler.pt")) {
    identity.fixed.emplace_back(kLearningRateSetting, setting_text(load_base_rate(folder / "scheduler.pt")));
    // The Python tool's, which has no other ones. A Trainer's own checkpoint does not say: then it is for the options
    // to be the same.
    for (const auto& [name, usual] : {std::pair(kSchedule, "linear"), std::pair(kOptimizer, "AdamW")}) {
      const auto wanted = std::ranges::find(now.fixed, name, &std::pair<std::string, std::string>::first);
      if (wanted != now.fixed.end() && wanted->second == usual) { identity.fixed.emplace_back(name, usual); }
    }
  }
  const fs::path file = folder / "adapter_config.json";
  if (!fs::exists(file)) { return identity; }
  const adapter::AdapterConfig config =
      adapter::parse_adapter_config(read_text(file), file, adapter::AdapterUse::training);
  for (const auto& setting : adapter_of(config.lora).settings()) { identity.fixed.push_back(setting); }
  // The name is all that there is to compare: the same name is taken for the same model.
  if (names_model(config, base_model)) {
    for (const auto& [name, value] : now.fixed) {
      if (name == kBaseModel) { identity.fixed.emplace_back(name, value); }
    }
  }
  return identity;
}

}  // namespace mdl::worker::training::checkpoint
