#pragma once

#include <cstdint>

namespace mdl::worker::training {

/// Learning rate of step `step` (from 0): rises linearly from 0 over `warmup_steps`, then falls linearly to 0 at
/// `total_steps` (Hugging Face's "linear" schedule).
double linear_learning_rate(double base, double step, int64_t warmup_steps, double total_steps);

/// The learning rates of a run. When a run goes on with another number of ranks, its steps get larger or smaller; the
/// schedule keeps the scale of the steps that it began with, so that the rate goes on from where it was and reaches 0
/// at the end of the data.
struct LearningRate {
  double base = 0;  ///< the highest
  int64_t warmup_steps = 0;
  double total = 0;        ///< steps of the scale's run
  double position = 0;     ///< where `first_step` is on that scale
  double per_step = 1;     ///< how far a step of this run goes on that scale
  int64_t first_step = 0;  ///< of this process

  double position_of(int64_t step) const { return position + static_cast<double>(step - first_step) * per_step; }
  double at(int64_t step) const { return linear_learning_rate(base, position_of(step), warmup_steps, total); }
};

/// What happens after step `step` (from 1). The last step evaluates and saves in any case.
bool is_due(int64_t step, int64_t interval, int64_t total_steps);

}  // namespace mdl::worker::training
