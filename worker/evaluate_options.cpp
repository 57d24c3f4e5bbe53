#include "worker/evaluate_options.hpp"

#include <algorithm>
#include <set>

#include "common/log.hpp"
#include "worker/cli/command_line.hpp"
#include "worker/cli/help_text.hpp"
#include "worker/cli/option_values.hpp"
#include "worker/cli/printed_config.hpp"
#include "worker/dataset/row_format.hpp"
#include "worker/hub/model_folder.hpp"

namespace mdl::worker {
namespace {

constexpr const char* kEvaluateCommand = "evaluate";
constexpr const char* kMetricNames[] = {"accuracy", "exact-match", "wer", "cer", "token-accuracy", "loss"};

constexpr cli::OptionText kEvaluateOptions[] = {
    {.name = "metric",
     .help = "accuracy: the answer is the right label (capitals, blanks and a stop at the end do not count), by label "
             "and with a confusion matrix; exact-match; wer: word error rate of English, as Whisper's normaliser "
             "writes it; cer: character error rate without punctuation; token-accuracy, loss: of the right answers, "
             "each token behind the right ones before it; repeated, with commas, or a JSON list",
     .fallback = "accuracy,token-accuracy,loss",
     .takes = cli::kList,
     .also = "metrics",
     .section = "What is measured"},
    {.name = "spelling-mapping",
     .help = "for wer: JSON file of words and what is written for them, as normalizer.json of a Whisper tokenizer "
             "(none)",
     .takes = cli::kPath},
    {.name = "overwrite-output",
     .help = "true: a measurement that is in the output folder is replaced",
     .fallback = "false",
     .takes = cli::kTrueOrFalse},
};

/// Which rows of a dataset do not need.
constexpr const char* kForFiles[] = {"system-prompt", "user-prompt", "base-dir"};

constexpr const char* kEvaluateExample[] = {"mdl-toolkit evaluate test.csv --model-name run/final --output measured \\",
                                            "    --metric accuracy,loss"};

std::vector<cli::OptionText> all_evaluate_options() {
  std::vector<cli::OptionText> all(std::begin(kEvaluateOptions), std::end(kEvaluateOptions));
  for (cli::OptionText option : inference_option_texts()) {
    if (option.name == std::string_view("output")) {
      option.help =
          "folder to write: answers.csv (or .tsv, .jsonl, as the input; of a dataset .jsonl), metrics.json, and of "
          "accuracy confusion.csv "
          "and .svg (required)";
    }
    all.push_back(option);
  }
  return all;
}

std::vector<Metric> read_metrics(const cli::OptionValues& values) {
  const std::vector<std::string> known(std::begin(kMetricNames), std::end(kMetricNames));
  const std::vector<std::string> usual = {"accuracy", "token-accuracy", "loss"};
  std::set<Metric> metrics;
  for (const std::string& name : values.list("metric").value_or(usual)) {
    const auto found = std::ranges::find(known, name);
    if (found == known.end()) { cli::reject_choice("metric", name, known); }
    metrics.insert(static_cast<Metric>(found - known.begin()));
  }
  if (metrics.empty()) { cli::reject_value("metric", "", "at least one metric"); }
  return {metrics.begin(), metrics.end()};
}

EvaluateOptions read_evaluate_options(const cli::GivenOptions& given) {
  const cli::OptionValues values(given, kEvaluateCommand);
  EvaluateOptions options;
  options.inference = read_inference_options(given, kEvaluateCommand);
  options.output = options.inference.output;
  std::error_code none;
  const bool is_dataset = std::filesystem::is_directory(options.inference.input, none);
  const auto format = is_dataset ? dataset::RowFormat::jsonl
                                 : dataset::row_format(options.inference.input).value_or(dataset::RowFormat::csv);
  options.inference.output = options.output / (std::string("answers") + dataset::row_ending(format));
  for (const char* name : kForFiles) {
    if (is_dataset && values.text(name)) {
      log::warning("--", name, " changes nothing: ", options.inference.input.string(), " is a dataset folder");
    }
  }
  options.metrics = read_metrics(values);
  options.overwrite = values.boolean("overwrite-output").value_or(false);
  // Where nothing is generated no prompt needs room for an answer.
  if (!options.answers() && !options.inference.max_new_tokens) { options.inference.max_new_tokens = 1; }
  if (values.text_or_none("spelling-mapping")) { options.spellings = values.required_path("spelling-mapping"); }
  if (options.spellings && std::ranges::find(options.metrics, Metric::wer) == options.metrics.end()) {
    throw cli::RejectedValue("spelling-mapping", "--spelling-mapping is for --metric wer, which is not asked for");
  }
  return options;
}

}  // namespace

const char* metric_name(Metric metric) {
  return kMetricNames[static_cast<std::size_t>(metric)];
}

bool EvaluateOptions::answers() const {
  return std::ranges::any_of(metrics, [](Metric metric) { return metric < Metric::token_accuracy; });
}

bool EvaluateOptions::scores() const {
  return std::ranges::any_of(metrics, [](Metric metric) { return metric >= Metric::token_accuracy; });
}

std::string evaluate_help() {
  return cli::command_help(
      {.usage = "evaluate INPUT --model-name DIR|NAME --output DIR [options]",
       .about = "Measures how a model answers the rows of a CSV, TSV or JSONL file, whose columns are audio, "
                "prediction (the right answer) and, if you like, system_prompt and user_prompt, or those of a dataset "
                "folder; alone or as one of the workers of mdl-launch "
                "or torchrun. The answers are kept beside the right ones. A run that was cut off goes on where it was "
                "when it is started again. Defaults in parentheses.",
       .example = kEvaluateExample},
      all_evaluate_options());
}

EvaluateOptions parse_evaluate_options(const std::vector<std::string>& arguments) {
  const auto texts = all_evaluate_options();
  const cli::CommandSyntax syntax{
      .name = kEvaluateCommand, .options = texts, .other_ways = hub::kRevisionInName, .standing = "input"};
  const cli::GivenOptions given = cli::parse_command_line(syntax, arguments);
  EvaluateOptions options = cli::with_places(given, [&] { return read_evaluate_options(given); });
  if (given.prints_config()) { options.printed_config = cli::printed_config(syntax, given); }
  return options;
}

}  // namespace mdl::worker
