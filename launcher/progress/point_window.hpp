#pragma once

#include <chrono>
#include <deque>
#include <utility>

namespace mdl::launcher::progress {

/// What rates are taken over: they are 0 when the last step is so long ago. Of steps that take longer than half of it,
/// twice the time of one.
inline constexpr std::chrono::seconds kRateWindow{30};
inline constexpr std::chrono::seconds kPointDistance{1};

/// Points of kRateWindow, each of which has the time `at`: about one in kPointDistance, the oldest first, so that
/// the memory is bounded however often they come. There are two at least, once two have come.
template <typename Point>
class PointWindow {
 public:
  /// `again`: in the place of the last one. The time never goes back.
  void push(Point point, bool again) {
    // The last one moves on until it is far enough from the one before it.
    const bool is_close = points_.size() >= 2 && points_.back().at - points_[points_.size() - 2].at < kPointDistance;
    if (!points_.empty() && (again || is_close)) { points_.pop_back(); }
    points_.push_back(std::move(point));
    while (points_.size() > 2 && points_.back().at - points_[1].at >= kRateWindow) { points_.pop_front(); }
  }
  void clear() { points_.clear(); }

  const std::deque<Point>& points() const { return points_; }
  bool empty() const { return points_.empty(); }
  const Point& back() const { return points_.back(); }

 private:
  std::deque<Point> points_{};
};

}  // namespace mdl::launcher::progress
