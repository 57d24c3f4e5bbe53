#pragma once

#include <cstdint>

#include "worker/reports/metrics.hpp"

namespace mdl::worker::training::loop {

/// What a step came to, over all ranks.
struct StepResult {
  double loss = 0;
  double grad_norm = 0;  ///< before it was scaled
  double learning_rate = 0;
};

/// The steps since the log's last line, which --logging-steps joins: the mean of their losses, and the rest of the
/// last one's, as the Trainer does.
struct UnloggedSteps {
  int64_t steps = 0;
  double loss = 0;  ///< the sum
  StepResult last{};

  void add(const StepResult& result) {
    ++steps;
    loss += result.loss;
    last = result;
  }

  /// What is to be logged. `steps` is above 0; then it is 0.
  reports::Metrics take() {
    const reports::Metrics metrics = {{"loss", loss / static_cast<double>(steps)},
                                      {"grad_norm", last.grad_norm},
                                      {"learning_rate", last.learning_rate}};
    *this = {};
    return metrics;
  }
};

}  // namespace mdl::worker::training::loop
