#include "launcher/progress/step_counter.hpp"

namespace mdl::launcher::progress {

void StepCounter::say(Time at, std::int64_t step, double value) {
  if (!window_.empty() && (step < window_.back().step || value < window_.back().value)) { window_.clear(); }
  const bool again = !window_.empty() && window_.back().step == step;
  window_.push({at, step, value}, again);
}

std::optional<double> StepCounter::of_step_since(const Point& from) const {
  const Point& to = window_.back();
  if (to.step <= from.step) { return std::nullopt; }
  return (to.value - from.value) / static_cast<double>(to.step - from.step);
}

std::optional<double> StepCounter::of_step() const {
  return window_.empty() ? std::nullopt : of_step_since(window_.points().front());
}

std::optional<double> StepCounter::of_step_lately() const {
  const auto& points = window_.points();
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (points.back().at - point->at >= kNewest) { return of_step_since(*point); }
  }
  return of_step();
}

std::optional<std::int64_t> StepCounter::step() const {
  return window_.empty() ? std::nullopt : std::optional(window_.back().step);
}

}  // namespace mdl::launcher::progress
