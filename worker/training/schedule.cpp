#include "worker/training/schedule.hpp"

#include <algorithm>
#include <cmath>

namespace mdl {

int64_t StepInterval::resolve(int64_t total_steps) const {
  return static_cast<int64_t>(value < 1 ? std::ceil(static_cast<double>(total_steps) * value) : value);
}

Plan plan_steps(int64_t batches_per_epoch, int64_t accumulation_steps, double epochs) {
  Plan plan;
  plan.batches_per_epoch = batches_per_epoch;
  plan.steps_per_epoch = (batches_per_epoch + accumulation_steps - 1) / accumulation_steps;
  plan.total_steps = static_cast<int64_t>(std::ceil(epochs * static_cast<double>(plan.steps_per_epoch)));
  plan.epochs = static_cast<int64_t>(std::ceil(epochs));
  return plan;
}

int64_t micro_batches(const Plan& plan, int64_t accumulation_steps, int64_t step) {
  return std::min(accumulation_steps, plan.batches_per_epoch - step * accumulation_steps);
}

double linear_learning_rate(double base, int64_t step, int64_t warmup_steps, int64_t total_steps) {
  const auto at = static_cast<double>(step);
  const auto warmup = static_cast<double>(warmup_steps);
  if (step < warmup_steps) return base * (at / std::max(1.0, warmup));
  const double left = static_cast<double>(total_steps) - at;
  return base * std::max(0.0, left / std::max(1.0, static_cast<double>(total_steps) - warmup));
}

bool is_due(int64_t step, int64_t interval, int64_t total_steps) {
  return step == total_steps || (interval > 0 && step % interval == 0);
}

}  // namespace mdl
