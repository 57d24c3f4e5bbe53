#include "worker/reports/page/chart_pointer.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "common/str_cat.hpp"
#include "worker/reports/page/markup.hpp"
#include "worker/reports/page/number_text.hpp"

namespace mdl::worker::reports::page {
namespace {

constexpr std::size_t kMostColumns = 160;
constexpr std::size_t kMostValues = 4;

/// Evenly chosen from all steps that a line has a point of.
std::vector<std::int64_t> told_steps(const Chart& chart) {
  std::set<std::int64_t> all;
  for (const ChartLine& line : chart.lines) {
    for (const Point& point : line.points) { all.insert(point.step); }
  }
  std::vector<std::int64_t> steps;
  const std::size_t every = (all.size() + kMostColumns - 1) / kMostColumns;
  std::size_t number = 0;
  for (const std::int64_t step : all) {
    if (number++ % std::max<std::size_t>(every, 1) == 0) { steps.push_back(step); }
  }
  return steps;
}

std::string told_values(const Chart& chart, std::int64_t step) {
  std::string text = str_cat("step ", grouped(step));
  std::size_t told = 0;
  for (const ChartLine& line : chart.lines) {
    const auto point = std::lower_bound(line.points.begin(), line.points.end(), step,
                                        [](const Point& a, std::int64_t b) { return a.step < b; });
    if (point == line.points.end() || point->step != step || ++told > kMostValues) { continue; }
    text += str_cat(" · ", chart.lines.size() > 1 ? str_cat(line.label, " ") : "", short_number(point->value));
  }
  return text;
}

}  // namespace

std::string pointer_columns(const Chart& chart, const ChartFrame& frame) {
  constexpr double kAbove = 8;
  const std::vector<std::int64_t> steps = told_steps(chart);
  std::string svg = "<g class=\"at\">";
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double x = frame.x(static_cast<double>(steps[i]));
    const double begin = i == 0 ? frame.left : (frame.x(static_cast<double>(steps[i - 1])) + x) / 2;
    const double end = i + 1 == steps.size() ? frame.right : (frame.x(static_cast<double>(steps[i + 1])) + x) / 2;
    svg += str_cat("<g><rect x=\"", coordinate(begin), "\" y=\"", coordinate(frame.top), "\" width=\"",
                   coordinate(std::max(0.5, end - begin)), "\" height=\"", coordinate(frame.bottom - frame.top),
                   "\"/><path d=\"M", coordinate(x), " ", coordinate(frame.top), "V", coordinate(frame.bottom),
                   "\"/><text class=\"e\" x=\"", coordinate(frame.right), "\" y=\"", coordinate(frame.top - kAbove),
                   "\">", escaped(told_values(chart, steps[i])), "</text></g>");
  }
  return svg + "</g>";
}

}  // namespace mdl::worker::reports::page
