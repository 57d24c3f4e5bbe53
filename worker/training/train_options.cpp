#include "worker/training/train_options.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/nearest_name.hpp"
#include "common/str_cat.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/convert/row_options.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/training/train_option_table.hpp"

namespace mdl::worker::training {
namespace {

/// Options that may be nothing; "null" is how the Python tool's command line says so.
constexpr const char* kMayBeNothing[] = {"bf16",
                                         "quantization",
                                         "quantization-type",
                                         "double-quantization",
                                         "eval-dataset",
                                         "eval-batch-size",
                                         "system-prompt",
                                         "eval-accumulation-steps",
                                         "user-prompt",
                                         "resume-from-checkpoint",
                                         "base-dir",
                                         "save-total-limit",
                                         "tf32",
                                         "eval-split",
                                         "batch-tokens",
                                         "max-length"};

/// Options that matter only where a dataset is a file of rows.
constexpr const char* kForCsv[] = {"system-prompt", "user-prompt", "base-dir", "tokenizing-batch-size", "num-workers"};

constexpr int64_t kLongestTimeout = int64_t{10} * 365 * 24 * 3600;  // LLaMA-Factory's examples have nearly six years

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

/// The expression takes the place of the targets that mean layers.
void read_lora_targets(const std::string& pattern, adapter::GivenLora& given) {
  if (given.targets && given.targets != adapter::whole_targets(*given.targets)) {
    throw cli::RejectedValue(
        "lora-targets",
        str_cat("--lora-targets and --train-target ", adapter::target_names(*given.targets), " exclude each other"),
        "What the expression matches gets adapters; --train-target may still name what is trained "
        "whole: embed_tokens, lm_head.");
  }
  try {
    given.layers = adapter::layers_like(pattern);
  } catch (const Error& error) {
    throw cli::RejectedValue("lora-targets", "--lora-targets: " + error.problem(), error.advice());
  }
  given.targets = given.targets.value_or(std::set<adapter::Target>());
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
  given.rank_stabilized = values.boolean("use-rslora");
  if (const auto pattern = values.text_or_none("lora-targets")) { read_lora_targets(*pattern, given); }
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
                       name == "wandb"
                           ? "Train with --report-to tensorboard, then: wandb sync OUTPUT/runs/*"
                           : did_you_mean(name, kKinds) +
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
  const bool evaluates_file = options.eval_dataset && dataset::is_row_file(*options.eval_dataset);
  if (options.train_datasets.has_row_file() || evaluates_file) { return; }
  for (const char* name : kForCsv) {
    if (values.text(name)) {
      log::warning("--", name, " changes nothing: the datasets are folders, not files of rows");
    }
  }
}

void read_places(const cli::OptionValues& values, TrainOptions& options) {
  options.train_datasets = read_train_datasets(values);
  options.output = values.text("output").value_or("");
  options.from_modelscope = values.boolean("from-modelscope").value_or(false);
  options.model_name = hub::model_name_or_default(values.text("model-name"), options.from_modelscope);
  if (values.text("eval-dataset")) { options.eval_dataset = values.required_path("eval-dataset"); }
  if (values.text("initial-adapter")) { options.initial_adapter = values.required_path("initial-adapter"); }
}

/// Which rows of the datasets are used, and for what.
void read_row_choice(const cli::OptionValues& values, TrainOptions& options) {
  values.integer("max-length", 1, options.max_length);
  const auto split = values.text("eval-split");
  if (!split) { return; }
  if (options.eval_dataset) {
    throw cli::RejectedValue("eval-split", "--eval-split and --eval-dataset exclude each other",
                             "The one takes rows of the training data, the other one has rows of its own.");
  }
  values.number("eval-split", 0, options.eval_split.emplace());
  if (*options.eval_split >= 1) { cli::reject_value("eval-split", *split, "a number above 0 and below 1"); }
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

void read_max_steps(const cli::OptionValues& values, TrainOptions& options) {
  int64_t steps = -1;  // TrainingArguments' "no"
  values.integer("max-steps", -1, steps);
  if (steps == 0) { cli::reject_value("max-steps", "0", "a whole number from 1, or -1 for --num-epochs"); }
  if (steps > 0) { options.max_steps = steps; }
}

void read_warmup(const cli::OptionValues& values, TrainOptions& options) {
  values.interval("warmup-steps", true, options.warmup_steps);
  const auto text = values.text("warmup-ratio");
  if (!text) { return; }
  if (values.text("warmup-steps")) {
    throw cli::RejectedValue("warmup-ratio", "--warmup-ratio and --warmup-steps exclude each other",
                             "A --warmup-steps below 1 is a part of all steps, too.");
  }
  values.number_from("warmup-ratio", 0, options.warmup_steps.value);
  if (options.warmup_steps.value > 1) { cli::reject_value("warmup-ratio", *text, "a number from 0 to 1"); }
  if (options.warmup_steps.value == 1) { options.warmup_steps.value = std::nextafter(1.0, 0.0); }  // all, not one step
}

void read_optimizer(const cli::OptionValues& values, TrainOptions& options) {
  AdamWSettings& adamw = options.optimizer;
  const auto read_beta = [&](const char* name, double& beta) {
    values.number_from(name, 0, beta);
    if (beta >= 1) { cli::reject_value(name, *values.text(name), "a number from 0, below 1"); }
  };
  read_beta("adam-beta1", adamw.beta1);
  read_beta("adam-beta2", adamw.beta2);
  values.number_from("adam-epsilon", 0, adamw.epsilon);
  values.number_from("weight-decay", 0, adamw.weight_decay);
  values.number_from("max-grad-norm", 0, options.max_grad_norm);
}

void read_batches(const cli::OptionValues& values, TrainOptions& options) {
  values.integer("batch-size", 1, options.batch_size);
  values.integer("batch-tokens", 1, options.batch_tokens);
  values.integer("gradient-accumulation-steps", 1, options.accumulation_steps);
  if (!options.batch_tokens || !values.text("batch-size")) { return; }
  throw cli::RejectedValue("batch-tokens", "--batch-tokens and --batch-size exclude each other",
                           "The one counts the tokens of a batch, the other one its rows. Evaluations have "
                           "--eval-batch-size.");
}

/// What a step is.
void read_step_options(const cli::OptionValues& values, TrainOptions& options) {
  values.number_from("lr", 0, options.learning_rate);
  options.learning_rate_given = values.text("lr").has_value();
  values.number("num-epochs", 0, options.epochs);
  read_max_steps(values, options);
  options.lr_scheduler = parse_lr_scheduler(values.text("lr-scheduler-type"),
                                            values.text_or_none("lr-scheduler-kwargs"), options.learning_rate);
  read_warmup(values, options);
  read_optimizer(values, options);
  read_batches(values, options);
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
  if (ddp_timeout > kLongestTimeout) { cli::reject_value("ddp-timeout", str_cat(ddp_timeout), "at most ten years"); }
  options.ddp_timeout = std::chrono::seconds(ddp_timeout);
  values.integer("seed", 0, options.seed);
  if (const auto skip = values.boolean("skip-bad-samples")) { options.skip_bad_samples = *skip; }
}

std::optional<IntervalStrategy> read_strategy(const cli::OptionValues& values, const char* name) {
  static const std::vector<std::string> kNames = {"no", "steps", "epoch"};
  const auto text = values.choice(name, kNames);
  if (!text) { return std::nullopt; }
  return static_cast<IntervalStrategy>(std::ranges::find(kNames, *text) - kNames.begin());
}

/// When evaluations and checkpoints come.
void read_strategies(const cli::OptionValues& values, TrainOptions& options) {
  const auto evaluates = read_strategy(values, "eval-strategy");
  options.eval_strategy = evaluates.value_or(options.evaluates() ? IntervalStrategy::steps : IntervalStrategy::no);
  if (!options.evaluates() && options.eval_strategy != IntervalStrategy::no && !values.prints_config()) {
    throw cli::RejectedValue("eval-strategy",
                             str_cat("--eval-strategy ", *values.text("eval-strategy"), " needs data to evaluate on"),
                             "Name them: --eval-dataset DIR, or --eval-split 0.1 for a part of the training data.");
  }
  options.save_strategy = read_strategy(values, "save-strategy").value_or(IntervalStrategy::steps);
}

/// What happens every so many steps.
void read_intervals(const cli::OptionValues& values, TrainOptions& options) {
  read_strategies(values, options);
  values.interval("logging-steps", false, options.logging_steps);
  values.interval("eval-steps", false, options.eval_steps);
  values.integer("eval-batch-size", 0, options.eval_batch_size);
  if (options.eval_batch_size == 0) {
    options.eval_batch_size.reset();  // as the Python tool takes it
  }
  values.integer("eval-accumulation-steps", 1, options.eval_accumulation_steps);
  if (const auto names = values.list("report-to")) { options.report_to = parse_reports(*names); }
  options.report_html = values.boolean("report-html").value_or(true);
  values.interval("save-steps", true, options.save_steps);
  values.integer("save-total-limit", 0, options.save_total_limit);
  if (options.save_total_limit == 0) { options.save_total_limit.reset(); }
}

/// Throws RejectedValue where checkpoints and evaluations do not come together, as TrainingArguments does.
void require_evaluated_checkpoints(const TrainOptions& options) {
  constexpr const char* kOption = "load-best-model-at-end";
  const std::string needs = "--load-best-model-at-end true needs ";
  if (options.eval_strategy == IntervalStrategy::no) {
    throw cli::RejectedValue(kOption, needs + "evaluations",
                             "Give --eval-dataset or --eval-split, and an --eval-strategy but no.");
  }
  if (options.save_strategy != options.eval_strategy) {
    throw cli::RejectedValue(kOption, needs + "the same --eval-strategy and --save-strategy",
                             "A best evaluation is of use only where its checkpoint is.");
  }
  if (options.eval_strategy != IntervalStrategy::steps) { return; }
  const double saves = options.save_steps.value, evaluations = options.eval_steps.value;
  const double times = saves / evaluations;
  const bool alike = (saves < 1) == (evaluations < 1) && saves > 0;
  if (!alike || std::abs(times - std::round(times)) > 1e-9) {
    throw cli::RejectedValue(kOption,
                             str_cat(needs, "--save-steps (", saves, ") to be a multiple of --eval-steps (",
                                     evaluations, "), both numbers of steps or both parts of all steps"),
                             "A best evaluation is of use only where its checkpoint is.");
  }
}

/// As it is logged.
std::optional<std::string> read_metric(const cli::OptionValues& values) {
  const auto text = values.text("metric-for-best-model");
  if (!text) { return std::nullopt; }
  std::string logged = logged_metric(*text);
  for (const std::string& known : best_model_metrics()) {
    if (logged_metric(known) == logged) { return logged; }
  }
  cli::reject_choice("metric-for-best-model", *text, best_model_metrics());
}

void read_best_model(const cli::OptionValues& values, TrainOptions& options) {
  BestModelOptions& best = options.best_model;
  best.load_at_end = values.boolean("load-best-model-at-end").value_or(false);
  if (values.text("early-stopping-patience")) { values.integer("early-stopping-patience", 1, best.patience.emplace()); }
  values.number_from("early-stopping-threshold", 0, best.threshold);
  best.metric = read_metric(values);
  if (!best.metric && (best.load_at_end || best.patience)) { best.metric = "eval_loss"; }
  best.greater_is_better =
      values.boolean("greater-is-better").value_or(best.metric && is_better_when_greater(*best.metric));
  values.integer("eval-generate", 1, options.eval_generate);
  if (values.prints_config()) { return; }
  if (best.metric && needs_answers(*best.metric) && !options.eval_generate) {
    throw cli::RejectedValue(
        "metric-for-best-model",
        str_cat("--metric-for-best-model ", *values.text("metric-for-best-model"), " needs the model's answers"),
        "Say of how many rows of the evaluation data: --eval-generate 100.");
  }
  if (options.eval_generate && options.eval_strategy == IntervalStrategy::no) {
    throw cli::RejectedValue("eval-generate", "--eval-generate needs evaluations",
                             "Give --eval-dataset or --eval-split, and an --eval-strategy but no.");
  }
  if (best.load_at_end) { require_evaluated_checkpoints(options); }
  if (best.threshold > 0 && !best.patience) {
    throw cli::RejectedValue("early-stopping-threshold", "--early-stopping-threshold needs --early-stopping-patience",
                             "It says by how much an evaluation must be better to count.");
  }
  if (best.metric && options.eval_strategy == IntervalStrategy::no) {
    const char* const option = best.patience ? "early-stopping-patience" : "metric-for-best-model";
    throw cli::RejectedValue(option, str_cat("--", option, " needs evaluations"),
                             "Give --eval-dataset or --eval-split, and an --eval-strategy but no.");
  }
}

ResumeFrom read_resume(const cli::OptionValues& values) {
  const auto text = values.text("resume-from-checkpoint");
  if (!text) { return ResumeNever{}; }
  const auto flag = cli::read_boolean(*text);
  if (!flag) { return ResumePath{*text}; }
  return *flag ? ResumeFrom(ResumeNewest{}) : ResumeNever{};
}

}  // namespace

cli::GivenOptions parse_settings(const cli::CommandSyntax& syntax, const std::vector<std::string>& arguments) {
  cli::GivenOptions given = cli::parse_command_line(syntax, arguments);
  cli::refuse_standing_arguments(given, syntax.name);
  for (const char* name : kMayBeNothing) {
    if (given.has(name) && given.values(name).back() == "null") { given.erase(name); }
  }
  return given;
}

TrainOptions read_settings(const cli::OptionValues& values) {
  TrainOptions options;
  read_places(values, options);
  read_row_choice(values, options);
  read_adapter_options(values, options);
  read_step_options(values, options);
  read_device_options(values, options);
  read_intervals(values, options);
  read_best_model(values, options);
  options.resume_from = read_resume(values);
  read_csv_options(values, options);
  return options;
}

TrainOptions parse_train_options(const std::vector<std::string>& arguments) {
  cli::GivenOptions given = parse_settings(kTrainSyntax, arguments);
  const cli::OptionValues values(given);
  TrainOptions options = cli::with_places(given, [&] {
    values.required_path("train-dataset");
    values.required_path("output");
    return read_settings(values);
  });
  options.prints_config = given.prints_config();
  if (!options.prints_config) { given.erase("resume-from-checkpoint"); }  // the run that is repeated begins anew
  options.configuration = cli::printed_config(kTrainSyntax, given);
  return options;
}

}  // namespace mdl::worker::training
