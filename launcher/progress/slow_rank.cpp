#include "launcher/progress/slow_rank.hpp"

#include <algorithm>
#include <cstddef>

namespace mdl::launcher::progress {

double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double slow_limit(double median, double times) {
  return std::max(times * median, median + kLeastSlowDifference);
}

}  // namespace mdl::launcher::progress
