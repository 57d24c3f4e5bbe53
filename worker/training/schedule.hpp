#pragma once

#include <cstdint>

#include "worker/training/lr_scheduler.hpp"

namespace mdl::worker::training {

/// The learning rates of a run. When a run goes on with another number of ranks, its steps get larger or smaller; the
/// schedule keeps the scale of the steps that it began with, so that the rate goes on from where it was and comes to
/// its end with the data.
struct LearningRate {
  double base = 0;  ///< the highest
  LrScheduler scheduler{};
  int64_t warmup_steps = 0;  ///< on the scale
  double total = 0;          ///< steps of the scale's run
  double position = 0;       ///< where `first_step` is on that scale
  double per_step = 1;       ///< how far a step of this run goes on that scale
  int64_t first_step = 0;    ///< of this process

  double position_of(int64_t step) const { return position + static_cast<double>(step - first_step) * per_step; }
  double at(int64_t step) const { return scheduler.rate(base, position_of(step), warmup_steps, total); }
};

/// When evaluations or checkpoints come: transformers' IntervalStrategy.
enum class IntervalStrategy { no, steps, epoch };

/// "no", "steps" or "epoch".
const char* strategy_name(IntervalStrategy strategy);

/// Where a run stands after a step.
struct StepEnd {
  int64_t step = 0;  ///< from 1
  int64_t total_steps = 0;
  bool epoch_ended = false;
};

/// Whether something of `strategy` is due there; `interval` is for IntervalStrategy::steps, 0 never. The last step is
/// due in any case, but with IntervalStrategy::no.
bool is_due(IntervalStrategy strategy, const StepEnd& end, int64_t interval);

}  // namespace mdl::worker::training
