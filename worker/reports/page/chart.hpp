#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/reports/page/series.hpp"

namespace mdl::worker::reports::page {

/// A line of a chart.
struct ChartLine {
  enum class Style {
    raw,     ///< pale: what a smoothed line stands for
    line,    ///< strong
    dotted,  ///< strong, with a dot at each point where these are few
  };
  std::string label{};
  std::size_t colour = 0;  ///< from 0; see style_sheet()
  Style style = Style::line;
  Points points{};
  bool exact = true;  ///< the points stand in the page as numbers, too
};

/// A place on the axis of steps.
struct StepMark {
  std::int64_t step = 0;
  std::string label{};  ///< "resumed, 2 ranks"
};

/// A point that is pointed out.
struct PointMark {
  Point point{};
  std::size_t colour = 0;
  std::string label{};  ///< "best 6.046"
};

/// Lines over the steps of a run.
struct Chart {
  std::string title{};
  std::string unit{};   ///< "GiB"; empty: none
  std::string value{};  ///< what is told beside the title
  std::vector<ChartLine> lines{};
  std::vector<StepMark> marks{};
  std::vector<PointMark> best{};
  std::int64_t first = 0, last = 1;  ///< steps that the axis shows
  bool from_zero = false;
  bool may_be_logarithmic = true;
};

/// In units of the picture, which are pixels where it is as wide as that.
struct ChartSize {
  int width = 0, height = 0;
};

/// The picture, an <svg>. Points are thinned to two for each unit of its width.
std::string chart_svg(const Chart& chart, const ChartSize& size);

}  // namespace mdl::worker::reports::page
