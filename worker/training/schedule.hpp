#pragma once

#include <cstdint>

namespace mdl {

/// "Every so many steps": a count, or below 1 a fraction of all steps, as Hugging Face's Trainer takes eval_steps.
struct StepInterval {
  double value = 0;

  /// Steps between two events in a run of `total_steps`; 0 for never.
  int64_t resolve(int64_t total_steps) const;
};

/// How a run is cut into steps. A step is one update of the weights.
struct Plan {
  int64_t batches_per_epoch = 0;  ///< micro-batches of each rank
  int64_t steps_per_epoch = 0;
  int64_t total_steps = 0;  ///< may end inside an epoch
  int64_t epochs = 0;       ///< begun
};

/// As the Trainer counts: the last step of an epoch takes the micro-batches that are left; `epochs` may be a fraction.
Plan plan_steps(int64_t batches_per_epoch, int64_t accumulation_steps, double epochs);

/// Micro-batches of step `step` (from 0) of an epoch.
int64_t micro_batches(const Plan& plan, int64_t accumulation_steps, int64_t step);

/// Learning rate of step `step` (from 0): rises linearly from 0 over `warmup_steps`, then falls linearly to 0 at
/// `total_steps` (Hugging Face's "linear" schedule).
double linear_learning_rate(double base, int64_t step, int64_t warmup_steps, int64_t total_steps);

/// What happens after step `step` (from 1). The last step evaluates and saves in any case.
bool is_due(int64_t step, int64_t interval, int64_t total_steps);

}  // namespace mdl
