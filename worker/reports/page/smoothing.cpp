#include "worker/reports/page/smoothing.hpp"

#include <algorithm>
#include <cmath>

namespace mdl::worker::reports::page {

std::size_t smoothing_span(std::size_t count) {
  return std::clamp<std::size_t>(count / 20, 5, 100);
}

Points smoothed(const Points& points, std::size_t span) {
  const double keep = 1.0 - 2.0 / (static_cast<double>(span) + 1.0);
  double sum = 0, weight = 0;
  Points result;
  result.reserve(points.size());
  for (const Point& point : points) {
    if (!std::isfinite(point.value)) { continue; }
    sum = sum * keep + point.value;
    weight = weight * keep + 1.0;
    result.push_back({point.step, sum / weight});
  }
  return result;
}

}  // namespace mdl::worker::reports::page
