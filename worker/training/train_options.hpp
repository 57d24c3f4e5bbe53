#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "worker/adapter/adopted_lora.hpp"
#include "worker/adapter/lora.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/step_interval.hpp"
#include "worker/convert/convert_options.hpp"
#include "worker/convert/row.hpp"
#include "worker/device/device_choice.hpp"
#include "worker/hub/model_folder.hpp"
#include "worker/process/worker_environment.hpp"
#include "worker/quantization/quantization.hpp"
#include "worker/reports/reports.hpp"
#include "worker/training/adamw.hpp"
#include "worker/training/best_model.hpp"
#include "worker/training/resume_from.hpp"
#include "worker/training/schedule.hpp"
#include "worker/training/train_datasets.hpp"

namespace mdl::worker::training {

/// What the batch normalisation in front of the encoder does in training.
enum class BatchNorm {
  batch,   ///< as the Python tool: statistics of each rank's batch, running statistics move
  frozen,  ///< running statistics, unchanged: the loss of a clip does not depend on its batch
};

/// How a file of rows given in place of a dataset folder is converted; as the options of convert-dataset.
struct CsvOptions {
  convert::ConversationDefaults defaults;
  std::size_t group_size = convert::kDefaultGroupSize;
  std::size_t workers = 1;
};

/// The command line of `mdl-toolkit train`. Names and defaults are those of the Python tool.
struct TrainOptions {
  std::string model_name = hub::kDefaultModel;  ///< see hub::find_model()
  bool from_modelscope = false;
  TrainDatasets train_datasets;  ///< for files of rows see csv_dataset.hpp
  std::optional<std::filesystem::path> eval_dataset;
  std::optional<double> eval_split;   ///< in place of eval_dataset: this part of each training set
  std::optional<int64_t> max_length;  ///< tokens; longer rows are left out
  std::filesystem::path output;
  bool overwrite_output = false;  ///< see plan_start(); not in the Python tool
  CsvOptions csv;

  adapter::LoraConfig
      lora;  ///< rank 32, alpha 32, all three targets; of a run that starts from an adapter: the adapter's own
  adapter::GivenLora given_lora;  ///< what of it the command line says, which must not contradict such an adapter
  bool merge_lora = true;
  std::optional<std::filesystem::path> initial_adapter;  ///< a PEFT folder to start from; not in the Python tool
  BatchNorm batch_norm = BatchNorm::batch;               ///< not in the Python tool

  double learning_rate = 1e-4;
  bool learning_rate_given = false;  ///< on the command line: a run that goes on takes its checkpoint's otherwise
  double epochs = 1.0;
  std::optional<int64_t> max_steps;  ///< in place of epochs
  LrScheduler lr_scheduler;
  cli::StepInterval warmup_steps{0};
  AdamWSettings optimizer;
  double max_grad_norm = 1.0;           ///< 0: gradients of any norm
  int64_t batch_size = 8;               ///< clips per process and forward pass
  std::optional<int64_t> batch_tokens;  ///< in place of it: tokens, see BatchTokens; not in the Python tool
  int64_t accumulation_steps = 1;
  bool gradient_checkpointing = true;
  std::optional<bool> bf16;  ///< unset: when the GPU has it
  std::optional<bool> tf32;  ///< float32 products in TF32; unset: as LibTorch does
  device::Wish device;       ///< not in the Python tool
  /// For each operation of all ranks; a rank that hangs ends the others.
  std::chrono::seconds ddp_timeout = process::kDefaultDdpTimeout;
  std::optional<quantization::Quantization> quantization;  ///< of the frozen linear layers
  uint64_t seed = 42;
  bool skip_bad_samples = false;  ///< not in the Python tool

  cli::StepInterval logging_steps{1};
  IntervalStrategy eval_strategy = IntervalStrategy::no;  ///< with eval_dataset: steps, unless given
  cli::StepInterval eval_steps{500};
  std::optional<int64_t> eval_batch_size;          ///< unset: batch_size
  std::optional<int64_t> eval_accumulation_steps;  ///< unset: losses leave the device at the end
  std::set<reports::ReportKind> report_to;
  bool report_html = true;  ///< OUTPUT/report.html; not in the Python tool
  IntervalStrategy save_strategy = IntervalStrategy::steps;
  cli::StepInterval save_steps{500};
  std::optional<int64_t> save_total_limit;
  std::optional<int64_t> eval_generate;  ///< rows of the evaluation data that are answered; not in the Python tool
  BestModelOptions best_model;
  ResumeFrom resume_from;  ///< --resume-from-checkpoint: see plan_start()

  bool evaluates() const { return eval_dataset || eval_split; }

  bool prints_config = false;  ///< nothing else is wanted, and what train requires may be missing
  std::string configuration;   ///< all of this as a configuration file in YAML, which repeats the run
};

/// A command line of train's options, or of `syntax` that they are among. What may be nothing and is `null` is left
/// out. Throws UsageError as cli::parse_command_line() does, or for an argument that stands alone.
cli::GivenOptions parse_settings(const cli::CommandSyntax& syntax, const std::vector<std::string>& arguments);

/// Reads and checks all values. What train requires may be missing: it is empty then.
TrainOptions read_settings(const cli::OptionValues& values);

/// Parses and checks the values. Throws UsageError: an unknown option (with the nearest known name), an option of the
/// Python tool that is not yet supported, a missing required option, a value that is no number or out of range.
TrainOptions parse_train_options(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::training
