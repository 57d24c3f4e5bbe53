#pragma once

#include <string>

#include "worker/reports/page/axis.hpp"
#include "worker/reports/page/chart.hpp"

namespace mdl::worker::reports::page {

/// Where a chart's values lie in its picture.
struct ChartFrame {
  Axis steps, values;
  double left = 0, top = 0, right = 0, bottom = 0;  ///< edges of what is inside the axes

  double x(double step) const { return left + steps.place(step) * (right - left); }
  double y(double value) const { return bottom - values.place(value) * (bottom - top); }
};

ChartFrame frame_of(const Chart& chart, const ChartSize& size);

/// A coordinate: at most two digits behind the point.
std::string coordinate(double value);

}  // namespace mdl::worker::reports::page
