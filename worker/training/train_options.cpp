#include "worker/training/train_options.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <limits>
#include <map>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/convert/row_options.hpp"
#include "worker/dataset/csv.hpp"

namespace mdl::worker::training {
namespace {

namespace po = boost::program_options;

/// Options that may be nothing; "null" is how the Python tool's command line says so.
constexpr const char* kMayBeNothing[] = {
    "bf16",         "quantization",           "quantization-type", "double-quantization",
    "eval-dataset", "eval-batch-size",        "system-prompt",     "eval-accumulation-steps",
    "user-prompt",  "resume-from-checkpoint", "base-dir",          "save-total-limit",
    "tf32"};

/// Options that matter only where a dataset is a CSV file.
constexpr const char* kForCsv[] = {"system-prompt", "user-prompt", "base-dir", "tokenizing-batch-size", "num-workers"};

constexpr int64_t kLongestTimeout = int64_t{365} * 24 * 3600;

/// Default in parentheses.
constexpr cli::OptionText kOptions[] = {
    {"model-name",
     "MiDashengLM checkpoint: a folder, or a model's name ORG/NAME[@REVISION] at Hugging Face, which is downloaded "
     "where it is not in the local cache yet (mispeech/midashenglm-7b)"},
    {"train-dataset",
     "dataset folder to train on, as convert-dataset writes it, or a CSV file to convert first (required)"},
    {"eval-dataset", "dataset folder or CSV file to evaluate on (none)"},
    {"output", "folder for checkpoint-STEP/ and final/ (required)"},
    {"overwrite-output",
     "true: remove the checkpoints in output that another run has written (false: they are an error)",
     cli::kTrueOrFalse},
    {"lora-rank", "rank of the adapters (32)"},
    {"lora-alpha", "the adapters' output is scaled by alpha / rank (32)"},
    {"lora-dropout", "part of an adapter's inputs that is dropped in training (0)"},
    {"train-target",
     "what gets adapters: encoder, projector, decoder; and what is trained whole: embed_tokens, lm_head; repeated, "
     "with commas, or a JSON list (encoder,projector,decoder)"},
    {"initial-adapter",
     "PEFT adapter folder to start from, whose own rank, alpha and layers hold then (a fresh adapter)"},
    {"lr", "learning rate at its highest (1e-4)"},
    {"num-epochs", "passes over the data, may be a fraction (1.0)"},
    {"warmup-steps", "steps in which the learning rate rises (0)"},
    {"batch-size", "clips in a batch of each process (8)"},
    {"gradient-accumulation-steps", "batches before the weights change (1)"},
    {"gradient-checkpointing", "true: less memory, a third more work (true)", cli::kTrueOrFalse},
    {"bf16",
     "true, false or auto: base model in bfloat16 "
     "(auto: what ACCELERATE_MIXED_PRECISION says, else where the GPU has it)"},
    {"tf32",
     "true: products of float32 matrices (--bf16 false) in TF32, faster and with 10 bits of mantissa, on a GPU of "
     "compute "
     "capability 8.0 or newer (LibTorch's: false)",
     cli::kTrueOrFalse},
    {"device",
     "auto, cuda or cpu (auto: the GPU of this process's local rank, or the CPU where there is none or "
     "ACCELERATE_USE_CPU=true or an empty CUDA_VISIBLE_DEVICES says so)"},
    {"quantization",
     "8bit or 4bit: keep the frozen linear layers' weights so, with the package bitsandbytes; final/ is merged into "
     "the checkpoint's own weights (none)"},
    {"quantization-type", "of 4bit: fp4 or nf4 (fp4)"},
    {"double-quantization", "of 4bit: true quantizes the scales too (false)", cli::kTrueOrFalse},
    {"batch-norm", "batch: normalise audio by the batch, as the Python tool; frozen: as the checkpoint does (batch)"},
    {"ddp-timeout", "seconds that a rank waits for the others in one operation before it ends with an error (1800)"},
    {"seed", "decides the order of the data, fresh adapters and dropout (42)"},
    {"skip-bad-samples",
     "true: rows with broken sound or nothing to learn, and steps whose loss is no number, are left out and counted; "
     "false: they end the run (false)",
     cli::kTrueOrFalse},
    {"eval-steps", "steps between evaluations; below 1 a fraction of all steps (500)"},
    {"eval-batch-size", "clips in an evaluation batch of each process (batch-size)"},
    {"eval-accumulation-steps", "evaluation batches after which the losses leave the device (all)"},
    {"report-to",
     "tensorboard: event files in OUTPUT/runs (or TENSORBOARD_LOGGING_DIR); json: OUTPUT/log.jsonl; none; all; "
     "repeated, with commas, or a JSON list (none)"},
    {"save-steps", "steps between checkpoints; below 1 a fraction of all steps, 0 only the last (500)"},
    {"save-total-limit", "checkpoints to keep, oldest removed first; 0: all (all)"},
    {"resume-from-checkpoint",
     "checkpoint folder to go on from; true: this run's newest one in output; "
     "workers that a launcher restarts go on by themselves (false)"},
    {"merge-lora", "true: final/ is a whole model; false: final/ is the adapter (true)", cli::kTrueOrFalse},
    {"system-prompt", "for CSV files: system prompt of rows that have none (none)"},
    {"user-prompt", "for CSV files: user prompt of rows that have none (none)"},
    {"base-dir", "for CSV files: folder that the paths of sounds are relative to (the current folder)"},
    {"tokenizing-batch-size", "for CSV files: rows that are padded to the same length (8)"},
    {"num-workers", "for CSV files: threads that convert (one for each core)"},
    {"from-modelscope",
     "true: the model's name is one at ModelScope, where the default is midasheng/midashenglm-7b (false)",
     cli::kTrueOrFalse},
};

std::set<adapter::Target> parse_targets(const std::vector<std::string>& names) {
  static const std::map<std::string, adapter::Target> known = {{"encoder", adapter::Target::encoder},
                                                               {"projector", adapter::Target::projector},
                                                               {"decoder", adapter::Target::decoder},
                                                               {"embed_tokens", adapter::Target::embed_tokens},
                                                               {"lm_head", adapter::Target::lm_head}};
  std::set<adapter::Target> targets;
  for (const std::string& name : names) {
    const auto found = known.find(name);
    if (found == known.end()) {
      cli::reject_choice("train-target", name, {"encoder", "projector", "decoder", "embed_tokens", "lm_head"});
    }
    targets.insert(found->second);
  }
  if (targets.empty()) { cli::reject_value("train-target", "", "at least one of encoder, projector, decoder"); }
  return targets;
}

adapter::GivenLora read_lora_options(const cli::OptionValues& values) {
  adapter::GivenLora given;
  values.integer("lora-rank", 1, given.rank);
  if (values.text("lora-alpha")) { values.number("lora-alpha", 0, given.alpha.emplace()); }
  if (const auto text = values.text("lora-dropout")) {
    values.number("lora-dropout", -std::numeric_limits<double>::infinity(), given.dropout.emplace());
    if (*given.dropout < 0 || *given.dropout >= 1) {
      cli::reject_value("lora-dropout", *text, "a number from 0, below 1");
    }
  }
  if (const auto names = values.list("train-target")) { given.targets = parse_targets(*names); }
  return given;
}

std::set<reports::ReportKind> parse_reports(const std::vector<std::string>& names) {
  static const std::vector<std::string> kKinds = {"tensorboard", "json", "none", "all"};
  std::set<reports::ReportKind> kinds;
  if (names == std::vector<std::string>{"none"}) { return kinds; }
  if (names == std::vector<std::string>{"all"}) {
    return {reports::ReportKind::tensorboard, reports::ReportKind::json};
  }
  for (const std::string& name : names) {
    if (name != "tensorboard" && name != "json") {
      throw UsageError(str_cat("--report-to ", name, " is not supported: this program reports to tensorboard and json"),
                       did_you_mean(name, kKinds) +
                           "The log lines on stdout are the Trainer's; a program of your own can read them.");
    }
    kinds.insert(name == "json" ? reports::ReportKind::json : reports::ReportKind::tensorboard);
  }
  return kinds;
}

void read_csv_options(const cli::OptionValues& values, TrainOptions& options) {
  options.csv.defaults = convert::read_conversation_defaults(values);
  options.csv.workers = convert::read_num_workers(values);
  values.integer("tokenizing-batch-size", 1, options.csv.group_size);
  if (dataset::is_csv(options.train_dataset) || (options.eval_dataset && dataset::is_csv(*options.eval_dataset))) {
    return;
  }
  for (const char* name : kForCsv) {
    if (values.text(name)) { log::warning("--", name, " changes nothing: the datasets are folders, not CSV files"); }
  }
}

void read_places(const cli::OptionValues& values, TrainOptions& options) {
  options.train_dataset = values.text("train-dataset").value_or("");
  options.output = values.text("output").value_or("");
  options.from_modelscope = values.boolean("from-modelscope").value_or(false);
  options.model_name = hub::model_name_or_default(values.text("model-name"), options.from_modelscope);
  if (values.text("eval-dataset")) { options.eval_dataset = values.required_path("eval-dataset"); }
  if (values.text("initial-adapter")) { options.initial_adapter = values.required_path("initial-adapter"); }
}

void read_adapter_options(const cli::OptionValues& values, TrainOptions& options) {
  options.given_lora = read_lora_options(values);
  options.lora = options.given_lora.fresh();
  options.overwrite_output = values.boolean("overwrite-output").value_or(false);
  if (const auto merge = values.boolean("merge-lora")) { options.merge_lora = *merge; }
  if (const auto text = values.choice("batch-norm", {"batch", "frozen"})) {
    options.batch_norm = *text == "batch" ? BatchNorm::batch : BatchNorm::frozen;
  }
}

/// What a step is.
void read_step_options(const cli::OptionValues& values, TrainOptions& options) {
  values.number_from("lr", 0, options.learning_rate);
  options.learning_rate_given = values.text("lr").has_value();
  values.number("num-epochs", 0, options.epochs);
  values.integer("warmup-steps", 0, options.warmup_steps);
  values.integer("batch-size", 1, options.batch_size);
  values.integer("gradient-accumulation-steps", 1, options.accumulation_steps);
}

/// How it is computed.
void read_device_options(const cli::OptionValues& values, TrainOptions& options) {
  if (const auto recompute = values.boolean("gradient-checkpointing")) { options.gradient_checkpointing = *recompute; }
  options.bf16 = values.boolean_or_auto("bf16");
  options.tf32 = values.boolean("tf32");
  options.device = device::read_wish(values.choice("device", {"auto", "cuda", "cpu"}).value_or("auto"));
  options.quantization = quantization::parse_quantization(values.text("quantization"), values.text("quantization-type"),
                                                          values.boolean("double-quantization"));
  int64_t ddp_timeout = options.ddp_timeout.count();
  values.integer("ddp-timeout", 1, ddp_timeout);
  if (ddp_timeout > kLongestTimeout) { cli::reject_value("ddp-timeout", str_cat(ddp_timeout), "at most a year"); }
  options.ddp_timeout = std::chrono::seconds(ddp_timeout);
  values.integer("seed", 0, options.seed);
  if (const auto skip = values.boolean("skip-bad-samples")) { options.skip_bad_samples = *skip; }
}

/// What happens every so many steps.
void read_intervals(const cli::OptionValues& values, TrainOptions& options) {
  values.interval("eval-steps", false, options.eval_steps);
  values.integer("eval-batch-size", 0, options.eval_batch_size);
  if (options.eval_batch_size == 0) {
    options.eval_batch_size.reset();  // as the Python tool takes it
  }
  values.integer("eval-accumulation-steps", 1, options.eval_accumulation_steps);
  if (const auto names = values.list("report-to")) { options.report_to = parse_reports(*names); }
  values.interval("save-steps", true, options.save_steps);
  values.integer("save-total-limit", 0, options.save_total_limit);
  if (options.save_total_limit == 0) { options.save_total_limit.reset(); }
}

ResumeFrom read_resume(const cli::OptionValues& values) {
  const auto text = values.text("resume-from-checkpoint");
  if (!text) { return ResumeNever{}; }
  const auto flag = cli::read_boolean(*text);
  if (!flag) { return ResumePath{*text}; }
  return *flag ? ResumeFrom(ResumeNewest{}) : ResumeNever{};
}

}  // namespace

std::string train_help() {
  return cli::command_help(
      "train --train-dataset DIR --output DIR [options]",
      "Trains a LoRA adapter of a MiDashengLM model, alone or as one of the workers of mdl-launch, torchrun or "
      "accelerate. Defaults in parentheses.",
      kOptions);
}

std::span<const cli::OptionText> train_option_texts() {
  return kOptions;
}

po::variables_map parse_settings(const std::string& command, std::span<const cli::OptionText> options,
                                 const std::vector<std::string>& arguments) {
  po::variables_map given = cli::parse_command_line(command, options, arguments, hub::kRevisionInName);
  cli::refuse_standing_arguments(given, command);
  for (const char* name : kMayBeNothing) {
    const auto found = given.find(name);
    if (found != given.end() && found->second.as<std::vector<std::string>>().back() == "null") { given.erase(found); }
  }
  return given;
}

TrainOptions read_settings(const cli::OptionValues& values) {
  TrainOptions options;
  read_places(values, options);
  read_adapter_options(values, options);
  read_step_options(values, options);
  read_device_options(values, options);
  read_intervals(values, options);
  options.resume_from = read_resume(values);
  read_csv_options(values, options);
  return options;
}

TrainOptions parse_train_options(const std::vector<std::string>& arguments) {
  const po::variables_map given = parse_settings("train", kOptions, arguments);
  const cli::OptionValues values(given);
  values.required_path("train-dataset");
  values.required_path("output");
  return read_settings(values);
}

}  // namespace mdl::worker::training
