#include "worker/reports/page/run_history.hpp"

#include <algorithm>
#include <cmath>

namespace mdl::worker::reports::page {

void RunHistory::add(const std::string& metric, std::int64_t step, double value) {
  Points& points = metrics[metric];
  if (!points.empty() && points.back().step == step) {
    points.back().value = value;
  } else {
    points.push_back({step, value});
  }
  last_step = std::max(last_step, step);
}

void RunHistory::cut_back(std::int64_t step) {
  for (auto& [metric, points] : metrics) {
    std::erase_if(points, [&](const Point& point) { return point.step > step; });
  }
  sidecar.cut_back(step);
  last_step = std::min(last_step, step);
}

const Points& RunHistory::points(const std::string& metric) const {
  static const Points kNone;
  const auto found = metrics.find(metric);
  return found == metrics.end() ? kNone : found->second;
}

std::optional<Best> RunHistory::best() const {
  if (told_best) { return told_best; }
  std::optional<Best> best;
  for (const Point& point : points("eval_loss")) {
    if (std::isfinite(point.value) && (!best || point.value < best->point.value)) { best = Best{"eval_loss", point}; }
  }
  return best;
}

}  // namespace mdl::worker::reports::page
