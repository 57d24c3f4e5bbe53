#include "worker/training/schedule.hpp"

#include <algorithm>

namespace mdl::worker::training {

double linear_learning_rate(double base, double step, int64_t warmup_steps, double total_steps) {
  const auto warmup = static_cast<double>(warmup_steps);
  if (step < warmup) { return base * (step / std::max(1.0, warmup)); }
  return base * std::max(0.0, (total_steps - step) / std::max(1.0, total_steps - warmup));
}

bool is_due(int64_t step, int64_t interval, int64_t total_steps) {
  return step == total_steps || (interval > 0 && step % interval == 0);
}

}  // namespace mdl::worker::training
