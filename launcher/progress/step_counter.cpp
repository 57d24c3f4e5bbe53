#include "launcher/progress/step_counter.hpp"

namespace mdl::launcher::progress {
namespace {

constexpr std::chrono::seconds kLeastDistance{1};

}  // namespace

void StepCounter::say(Time at, std::int64_t step, double value) {
  if (!points_.empty() && (step < points_.back().step || value < points_.back().value)) { points_.clear(); }
  const bool again = !points_.empty() && points_.back().step == step;
  // The last point moves on until it is far enough from the one before it.
  const bool near = points_.size() >= 2 && points_.back().at - points_[points_.size() - 2].at < kLeastDistance;
  if (again || near) { points_.pop_back(); }
  points_.push_back({at, step, value});
  while (points_.size() > 2 && at - points_[1].at >= kWindow) { points_.pop_front(); }
}

std::optional<double> StepCounter::of_step_since(const Point& from) const {
  const Point& to = points_.back();
  if (to.step <= from.step) { return std::nullopt; }
  return (to.value - from.value) / static_cast<double>(to.step - from.step);
}

std::optional<double> StepCounter::of_step() const {
  return points_.empty() ? std::nullopt : of_step_since(points_.front());
}

std::optional<double> StepCounter::of_step_lately() const {
  for (auto point = points_.rbegin(); point != points_.rend(); ++point) {
    if (points_.back().at - point->at >= kNewest) { return of_step_since(*point); }
  }
  return of_step();
}

std::optional<std::int64_t> StepCounter::step() const {
  return points_.empty() ? std::nullopt : std::optional(points_.back().step);
}

}  // namespace mdl::launcher::progress
