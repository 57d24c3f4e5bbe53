#include "worker/training/schedule.hpp"

#include <algorithm>
#include <cmath>

namespace mdl {

int64_t StepInterval::resolve(int64_t total_steps) const {
  return static_cast<int64_t>(value < 1 ? std::ceil(static_cast<double>(total_steps) * value) : value);
}

double linear_learning_rate(double base, double step, int64_t warmup_steps, double total_steps) {
  const auto warmup = static_cast<double>(warmup_steps);
  if (step < warmup) { return base * (step / std::max(1.0, warmup)); }
  return base * std::max(0.0, (total_steps - step) / std::max(1.0, total_steps - warmup));
}

bool is_due(int64_t step, int64_t interval, int64_t total_steps) {
  return step == total_steps || (interval > 0 && step % interval == 0);
}

}  // namespace mdl
