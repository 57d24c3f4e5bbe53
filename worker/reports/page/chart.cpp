#include "worker/reports/page/chart.hpp"

#include <algorithm>
#include <cmath>

#include "common/str_cat.hpp"
#include "worker/reports/page/chart_frame.hpp"
#include "worker/reports/page/chart_pointer.hpp"
#include "worker/reports/page/markup.hpp"
#include "worker/reports/page/number_text.hpp"
#include "worker/reports/page/thinning.hpp"

namespace mdl::worker::reports::page {
namespace {

constexpr std::size_t kMostDots = 60;

std::string text_at(double x, double y, const char* classes, const std::string& text) {
  return str_cat("<text class=\"", classes, "\" x=\"", coordinate(x), "\" y=\"", coordinate(y), "\">", escaped(text),
                 "</text>");
}

std::string axes(const Chart& chart, const ChartFrame& frame) {
  constexpr double kBelow = 16, kBeside = 8, kMiddle = 4, kWideLabel = 26;
  std::string grid, labels;
  for (const Tick& tick : frame.values.ticks) {
    const double y = frame.y(tick.value);
    grid += str_cat("M", coordinate(frame.left), " ", coordinate(y), "H", coordinate(frame.right));
    labels += text_at(frame.left - kBeside, y + kMiddle, "t e", tick.text);
  }
  for (const Tick& tick : frame.steps.ticks) {
    const double x = frame.x(tick.value);
    const bool at_edge = x > frame.right - kWideLabel && tick.text.size() > 2;
    labels += text_at(at_edge ? frame.right : x, frame.bottom + kBelow, at_edge ? "t e" : "t m", tick.text);
  }
  std::string unit = chart.unit;
  if (frame.values.logarithmic) { unit += unit.empty() ? "logarithmic" : ", logarithmic"; }
  return str_cat("<path class=\"grid\" d=\"", grid, "\"/><path class=\"axis\" d=\"M", coordinate(frame.left), " ",
                 coordinate(frame.bottom), "H", coordinate(frame.right), "\"/>", labels,
                 unit.empty() ? "" : text_at(frame.left, frame.top - kBeside, "t u", unit));
}

/// Lines from point to point, with gaps where a value is no number.
std::string path_of(const Points& points, const ChartFrame& frame) {
  std::string path;
  char command = 'M';
  for (const Point& point : points) {
    if (!std::isfinite(point.value)) {
      command = 'M';
      continue;
    }
    path +=
        str_cat(command, coordinate(frame.x(static_cast<double>(point.step))), " ", coordinate(frame.y(point.value)));
    command = 'L';
  }
  return path;
}

std::string exact_points(const Points& points) {
  std::string text;
  for (const Point& point : points) {
    text += str_cat(text.empty() ? "" : ",", point.step, " ", exact_number(point.value));
  }
  return text;
}

/// Where values were no numbers.
std::string crosses(const Points& points, const ChartFrame& frame) {
  std::string path;
  for (const Point& point : points) {
    if (std::isfinite(point.value)) { continue; }
    path += str_cat("M", coordinate(frame.x(static_cast<double>(point.step)) - 3), " ", coordinate(frame.bottom - 9),
                    "l6 6m0-6l-6 6");
  }
  return path.empty() ? "" : str_cat("<path class=\"nan\" d=\"", path, "\"><title>no finite number</title></path>");
}

std::string drawn(const ChartLine& line, const ChartFrame& frame, std::size_t columns, const Chart& chart) {
  const char* const style = line.style == ChartLine::Style::raw ? "raw" : "line";
  const Points points = thinned(line.points, chart.first, chart.last, columns);
  std::string svg = str_cat("<path class=\"", style, " c", line.colour, "\" data-label=\"", escaped(line.label), "\"");
  if (line.exact) { svg += str_cat(" data-points=\"", exact_points(points), "\""); }
  svg += str_cat(" d=\"", path_of(points, frame), "\"/>", crosses(points, frame));
  const bool dots = line.style == ChartLine::Style::dotted && points.size() <= kMostDots;
  for (const Point& point : points) {
    if ((!dots && points.size() > 1) || !std::isfinite(point.value)) { continue; }
    svg +=
        str_cat("<circle class=\"dot c", line.colour, "\" cx=\"", coordinate(frame.x(static_cast<double>(point.step))),
                "\" cy=\"", coordinate(frame.y(point.value)), "\" r=\"2.5\"/>");
  }
  return svg;
}

/// Lines across the chart; of marks that lie close together the first has its words beside it.
std::string step_marks(const Chart& chart, const ChartFrame& frame) {
  constexpr double kRoom = 110, kBeside = 5, kBelow = 11;
  std::string svg;
  double free_from = frame.left;
  for (const StepMark& mark : chart.marks) {
    const double x = frame.x(static_cast<double>(mark.step));
    svg +=
        str_cat("<g class=\"mark\" data-step=\"", mark.step, "\"><path d=\"M", coordinate(x), " ",
                coordinate(frame.top), "V", coordinate(frame.bottom), "\"/><title>", escaped(mark.label), "</title>");
    if (x >= free_from && frame.right - frame.left > 6 * kRoom) {
      const bool at_edge = x + kRoom > frame.right;
      svg += text_at(at_edge ? x - kBeside : x + kBeside, frame.top + kBelow, at_edge ? "e" : "", mark.label);
      free_from = x + kRoom;
    }
    svg += "</g>";
  }
  return svg;
}

std::string point_marks(const Chart& chart, const ChartFrame& frame) {
  constexpr double kRoom = 60, kAbove = 10, kBelow = 20, kBeside = 8;
  std::string svg;
  for (const PointMark& mark : chart.best) {
    const double x = frame.x(static_cast<double>(mark.point.step)), y = frame.y(mark.point.value);
    const bool at_edge = x + kRoom > frame.right, at_bottom = y + 2 * kBelow > frame.bottom;
    svg += str_cat(
        "<g class=\"best c", mark.colour, "\" data-step=\"", mark.point.step, "\"><circle cx=\"", coordinate(x),
        "\" cy=\"", coordinate(y), "\" r=\"5\"/>",
        text_at(at_edge ? x + kBeside : x, at_bottom ? y - kAbove : y + kBelow, at_edge ? "e" : "m", mark.label),
        "</g>");
  }
  return svg;
}

}  // namespace

std::string chart_svg(const Chart& chart, const ChartSize& size) {
  constexpr double kPointsAColumn = 2.5;  // of thinned()'s five a pixel
  const ChartFrame frame = frame_of(chart, size);
  const auto columns = static_cast<std::size_t>(std::max(1.0, (frame.right - frame.left) / kPointsAColumn));
  std::string lines;
  for (const ChartLine& line : chart.lines) { lines += drawn(line, frame, columns, chart); }
  return str_cat("<svg viewBox=\"0 0 ", size.width, " ", size.height, "\" role=\"img\" aria-label=\"",
                 escaped(chart.title), "\" data-x=\"", exact_number(frame.steps.low), " ",
                 exact_number(frame.steps.high), " ", frame.left, " ", frame.right, "\" data-y=\"",
                 exact_number(frame.values.low), " ", exact_number(frame.values.high), " ", frame.bottom, " ",
                 frame.top, frame.values.logarithmic ? " log" : "", "\">", axes(chart, frame), step_marks(chart, frame),
                 lines, point_marks(chart, frame), pointer_columns(chart, frame), "</svg>");
}

}  // namespace mdl::worker::reports::page
