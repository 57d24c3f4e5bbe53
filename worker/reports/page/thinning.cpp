#include "worker/reports/page/thinning.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace mdl::worker::reports::page {
namespace {

using Iterator = Points::const_iterator;

/// Of the points of a column, which are not none.
void add_column(Iterator begin, Iterator end, Points& result) {
  const auto is_number = [](const Point& point) { return std::isfinite(point.value); };
  const auto lower = [&](const Point& a, const Point& b) {
    return is_number(a) && (!is_number(b) || a.value < b.value);
  };
  const auto higher = [&](const Point& a, const Point& b) {
    return is_number(a) && (!is_number(b) || a.value > b.value);
  };
  std::vector<Iterator> kept = {begin, std::prev(end), std::min_element(begin, end, lower),
                                std::min_element(begin, end, higher)};
  if (const auto gap = std::find_if_not(begin, end, is_number); gap != end) { kept.push_back(gap); }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  for (const Iterator point : kept) { result.push_back(*point); }
}

}  // namespace

Points thinned(const Points& points, std::int64_t first, std::int64_t last, std::size_t columns) {
  constexpr std::size_t kOfAColumn = 5;
  if (points.size() <= kOfAColumn * columns) { return points; }
  const double width = std::max(1.0, static_cast<double>(last) - static_cast<double>(first) + 1.0);
  const auto column_of = [&](const Point& point) {
    const double place = (static_cast<double>(point.step) - static_cast<double>(first)) / width;
    return std::clamp(std::floor(place * static_cast<double>(columns)), 0.0, static_cast<double>(columns) - 1.0);
  };
  Points result;
  for (Iterator begin = points.begin(); begin != points.end();) {
    const double column = column_of(*begin);
    const Iterator end = std::find_if(begin, points.end(), [&](const Point& at) { return column_of(at) != column; });
    add_column(begin, end, result);
    begin = end;
  }
  return result;
}

}  // namespace mdl::worker::reports::page
