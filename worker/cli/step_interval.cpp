#include "worker/cli/step_interval.hpp"

#include <cmath>

namespace mdl::worker::cli {

int64_t StepInterval::resolve(int64_t total_steps) const {
  return static_cast<int64_t>(value < 1 ? std::ceil(static_cast<double>(total_steps) * value) : value);
}

}  // namespace mdl::worker::cli
