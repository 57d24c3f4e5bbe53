#pragma once

#include <cstdint>

namespace mdl::worker::cli {

/// "Every so many steps": a count, or below 1 a fraction of all steps, as Hugging Face's Trainer takes eval_steps.
struct StepInterval {
  double value = 0;

  /// Steps between two events in a run of `total_steps`; 0 for never.
  int64_t resolve(int64_t total_steps) const;
};

}  // namespace mdl::worker::cli
