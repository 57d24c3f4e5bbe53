#include "worker/reports/page/chart_frame.hpp"

#include <algorithm>
#include <cmath>

#include "worker/reports/page/number_text.hpp"

namespace mdl::worker::reports::page {

std::string coordinate(double value) {
  constexpr double kHundred = 100;
  return exact_number(std::round(value * kHundred) / kHundred + 0.0);
}

ChartFrame frame_of(const Chart& chart, const ChartSize& size) {
  constexpr double kLetter = 6.6, kLeast = 34, kTop = 22, kBottom = 24, kRight = 12, kGap = 10;
  constexpr int kPerTick = 34, kPerStepTick = 70;
  std::vector<double> values;
  for (const ChartLine& line : chart.lines) {
    for (const Point& point : line.points) { values.push_back(point.value); }
  }
  ChartFrame frame;
  frame.values = value_axis(values, chart.may_be_logarithmic && prefers_logarithm(values), chart.from_zero,
                            size.height / kPerTick);
  frame.steps = step_axis(static_cast<double>(chart.first), static_cast<double>(chart.last), size.width / kPerStepTick);
  std::size_t longest = 2;
  for (const Tick& tick : frame.values.ticks) { longest = std::max(longest, tick.text.size()); }
  frame.left = std::max(kLeast, std::ceil(kLetter * static_cast<double>(longest) + kGap));
  frame.right = size.width - kRight;
  frame.top = kTop;
  frame.bottom = size.height - kBottom;
  return frame;
}

}  // namespace mdl::worker::reports::page
