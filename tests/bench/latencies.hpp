#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace mdl::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The value that a `fraction` of all values does not exceed; 0 when there are none. Reorders them.
inline double percentile(std::vector<double>& values, double fraction) {
  if (values.empty()) { return 0; }
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(fraction * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace mdl::bench
