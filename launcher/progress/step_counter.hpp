#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "launcher/progress/point_window.hpp"

namespace mdl::launcher::progress {

/// What a counter of a worker adds in a step, from the messages that have it: others may come between. In bounded
/// memory. Pure: the time is fed in, and never goes back.
class StepCounter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// What of_step_lately() is over, as far as there are two messages in it; of_step() is over kRateWindow.
  static constexpr std::chrono::seconds kNewest{5};

  /// What it is after `step`. Where one of both is lower than before, it begins anew.
  void say(Time at, std::int64_t step, double value);
  void forget() { window_.clear(); }

  /// nullopt before it was said with two steps.
  std::optional<double> of_step() const;
  std::optional<double> of_step_lately() const;
  /// That it was said with last.
  std::optional<std::int64_t> step() const;

 private:
  struct Point {
    Time at{};
    std::int64_t step = 0;
    double value = 0;
  };
  std::optional<double> of_step_since(const Point& from) const;

  PointWindow<Point> window_{};
};

}  // namespace mdl::launcher::progress
