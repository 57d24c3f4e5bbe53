#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "worker/inference_options.hpp"

namespace mdl::worker {

/// What `evaluate` measures. The first four are of answers, the others of how well the right answers are predicted.
enum class Metric { accuracy, exact_match, wer, cer, token_accuracy, loss };

/// "exact-match"
const char* metric_name(Metric metric);

/// The command line of `mdl-toolkit evaluate`: inference's, and its own.
struct EvaluateOptions {
  InferenceOptions inference;  ///< whose output is answers.csv in `output`
  std::filesystem::path output;
  std::vector<Metric> metrics;                     ///< in the order of the enumeration
  std::optional<std::filesystem::path> spellings;  ///< for wer: see metrics::read_spellings()
  bool overwrite = false;                          ///< what another measurement has left in `output`
  std::optional<std::string> printed_config{};     ///< nothing else is wanted

  bool answers() const;  ///< a metric needs the model's answers
  bool scores() const;   ///< a metric needs the right answers' probabilities
};

/// The text of `mdl-toolkit evaluate --help`.
std::string evaluate_help();

/// Throws UsageError.
EvaluateOptions parse_evaluate_options(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
