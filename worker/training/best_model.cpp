#include "worker/training/best_model.hpp"

#include <algorithm>
#include <cmath>

namespace mdl::worker::training {

const std::vector<std::string>& best_model_metrics() {
  static const std::vector<std::string> kMetrics = {"loss", "token-accuracy", "accuracy", "exact-match", "wer", "cer"};
  return kMetrics;
}

std::string logged_metric(const std::string& name) {
  std::string logged = name;
  std::ranges::replace(logged, '-', '_');
  return logged.starts_with("eval_") ? logged : "eval_" + logged;
}

bool needs_answers(const std::string& logged) {
  return logged != "eval_loss" && logged != "eval_token_accuracy";
}

bool is_better_when_greater(const std::string& logged) {
  return !logged.ends_with("loss") && logged != "eval_wer" && logged != "eval_cer";
}

void take_evaluation(const BestModelOptions& options, BestModelState& state, int64_t step, double value) {
  if (!options.metric) { return; }
  const bool better = !state.metric || (options.greater_is_better ? value > *state.metric : value < *state.metric);
  const bool gained = better && (!state.metric || std::abs(value - *state.metric) > options.threshold);
  state.evaluations_without_gain = gained ? 0 : state.evaluations_without_gain + 1;
  if (better && std::isfinite(value)) {
    state.metric = value;
    state.step = step;
  }
}

bool stops_early(const BestModelOptions& options, const BestModelState& state) {
  return options.patience && state.evaluations_without_gain >= *options.patience;
}

}  // namespace mdl::worker::training
