#pragma once

#include <cstdint>
#include <vector>

namespace mdl::worker::reports::page {

/// What was logged of one thing after a step. A value may be no number (a loss that was NaN): then a line has a gap.
struct Point {
  std::int64_t step = 0;
  double value = 0;

  bool operator==(const Point&) const = default;
};

using Points = std::vector<Point>;  ///< by rising step

}  // namespace mdl::worker::reports::page
