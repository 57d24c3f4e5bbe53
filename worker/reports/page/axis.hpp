#pragma once

#include <string>
#include <vector>

namespace mdl::worker::reports::page {

/// A place on an axis that has a line and a number.
struct Tick {
  double value = 0;
  std::string text;  ///< "0.25", "20k", "5e-5"
};

/// What part of the numbers an axis shows, and where its ticks are: at 1, 2 or 5 times a power of ten.
struct Axis {
  double low = 0;
  double high = 1;  ///< above `low`
  bool logarithmic = false;
  std::vector<Tick> ticks{};

  /// From 0 (`low`) to 1 (`high`).
  double place(double value) const;
};

/// Shows all finite values, with some air; from 0 where `from_zero` and none is below it. At most `most_ticks` and two
/// more ticks. Without values from 0 to 1.
Axis value_axis(const std::vector<double>& values, bool logarithmic, bool from_zero, int most_ticks);

/// Steps from `first` to `last`, whole numbers, without air.
Axis step_axis(double first, double last, int most_ticks);

/// Whether a logarithmic axis shows more of `values`: all are above 0, and the highest tenth of them is 20 times the
/// lowest, or the highest of all 100 times the middle.
bool prefers_logarithm(std::vector<double> values);

}  // namespace mdl::worker::reports::page
