#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::training {

/// --load-best-model-at-end, --metric-for-best-model, --greater-is-better, --early-stopping-patience and -threshold.
struct BestModelOptions {
  bool load_at_end = false;
  std::optional<std::string> metric{};  ///< as logged, "eval_loss"; nothing: no evaluation is the best one
  bool greater_is_better = false;
  std::optional<int64_t> patience{};  ///< evaluations; nothing: the run is not stopped early
  double threshold = 0;               ///< that a better metric must be better by

  friend bool operator==(const BestModelOptions&, const BestModelOptions&) = default;
};

/// What an evaluation may be chosen by: loss, token-accuracy, and those of the model's answers, accuracy, exact-match,
/// wer and cer.
const std::vector<std::string>& best_model_metrics();

/// "eval_exact_match" of "exact-match", "exact_match" or "eval_exact_match".
std::string logged_metric(const std::string& name);

/// Whether the metric, as it is logged, is one of the model's answers.
bool needs_answers(const std::string& logged);

/// The Trainer's own choice, but for error rates: false for a loss, wer and cer.
bool is_better_when_greater(const std::string& logged);

/// What a run knows of its evaluations, in trainer_state.json.
struct BestModelState {
  std::optional<double> metric{};        ///< best_metric
  std::optional<int64_t> step{};         ///< best_global_step
  std::optional<std::string> folder{};   ///< best_model_checkpoint: of that step, once it is there
  int64_t evaluations_without_gain = 0;  ///< early_stopping_patience_counter
};

/// An evaluation after step `step` came to `value`: the Trainer's EarlyStoppingCallback looks at it first, then the
/// Trainer itself. The threshold is the callback's alone, as there.
void take_evaluation(const BestModelOptions& options, BestModelState& state, int64_t step, double value);

/// Whether the run is to end here.
bool stops_early(const BestModelOptions& options, const BestModelState& state);

}  // namespace mdl::worker::training
