#pragma once

#include <vector>

namespace mdl::launcher::progress {

/// A rank is slow whose own time of a step, outside collectives, is over so many times the median of all ranks that
/// send one. The one place that says so: for the log, the events, `status` and the page.
inline constexpr double kSlowTimes = 1.3;
/// Below it a slow rank is slow no longer: so one at the limit is not told again and again.
inline constexpr double kNoLongerSlowTimes = 1.2;
/// Up to it the slowest rank does not stand out: ranks that do the same differ by so much.
inline constexpr double kEvenTimes = 1.1;
inline constexpr double kLeastSlowDifference = 0.005;  ///< seconds; of shorter steps the clock and the kernel decide

/// The lower one of the two in the middle of an even number: of two ranks, the faster one is the measure. `values` has
/// one at least.
double lower_median(std::vector<double> values);

/// Seconds of a step; who takes longer is slow beside that median.
double slow_limit(double median, double times = kSlowTimes);

}  // namespace mdl::launcher::progress
