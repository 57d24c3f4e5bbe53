#include "worker/training/best_model.hpp"

#include <cmath>

namespace mdl::worker::training {

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
