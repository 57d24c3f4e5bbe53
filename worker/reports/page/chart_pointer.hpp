#pragma once

#include <string>

#include "worker/reports/page/chart_frame.hpp"

namespace mdl::worker::reports::page {

/// What a pointer over a chart shows, without a script: invisible columns, at most 160, each with a line and the values
/// of a step, which the style sheet shows while the pointer is over the column.
std::string pointer_columns(const Chart& chart, const ChartFrame& frame);

}  // namespace mdl::worker::reports::page
