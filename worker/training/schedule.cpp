#include "worker/training/schedule.hpp"

namespace mdl::worker::training {

const char* strategy_name(IntervalStrategy strategy) {
  return strategy == IntervalStrategy::no ? "no" : strategy == IntervalStrategy::steps ? "steps" : "epoch";
}

bool is_due(IntervalStrategy strategy, const StepEnd& end, int64_t interval) {
  switch (strategy) {
    case IntervalStrategy::no:
      return false;
    case IntervalStrategy::steps:
      return end.step == end.total_steps || (interval > 0 && end.step % interval == 0);
    case IntervalStrategy::epoch:
      return end.step == end.total_steps || end.epoch_ended;
  }
  return false;
}

}  // namespace mdl::worker::training
