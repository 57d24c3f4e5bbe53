#include "worker/reports/page/axis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "worker/reports/page/number_text.hpp"

namespace mdl::worker::reports::page {
namespace {

/// The smallest of 1, 2 and 5 times a power of ten that is not below `distance`.
double round_distance(double distance) {
  const double power = std::pow(10.0, std::floor(std::log10(distance)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= distance * (1 - 1e-9)) { return factor * power; }
  }
  return 10 * power;
}

/// With as many digits behind the point as multiples of `distance` need.
std::string tick_text(double value, double distance) {
  constexpr double kThousand = 1e3, kMillion = 1e6, kBillion = 1e9;
  if (std::abs(value) < distance / 2) { return "0"; }
  const double size = std::abs(value);
  if (size >= kBillion || size < 1e-3 || distance < 1e-5) { return short_number(value); }
  if (size >= kMillion && distance >= kMillion / 10) { return short_number(value / kMillion) + "M"; }
  if (size >= 10 * kThousand && distance >= kThousand / 10) { return short_number(value / kThousand) + "k"; }
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(distance) + 1e-9)));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::vector<Tick> linear_ticks(double low, double high, double distance) {
  constexpr int kMost = 50;
  std::vector<Tick> ticks;
  const double first = std::ceil(low / distance - 1e-9);
  for (int i = 0; i < kMost; ++i) {
    const double value = (first + i) * distance;
    if (value > high + distance * 1e-9) { break; }
    ticks.push_back({value, tick_text(value, distance)});
  }
  return ticks;
}

/// Powers of ten, every so many of them; with 2 and 5 times where there are few.
std::vector<Tick> logarithmic_ticks(double low, double high, int most) {
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  const int every = std::max(1, (last - first) / std::max(1, most));
  const bool few = last - first <= 3;
  std::vector<Tick> ticks;
  for (int power = first; power <= last; power += every) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10.0, power);
      if ((few || factor == 1.0) && value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) {
        ticks.push_back({value, short_number(value)});
      }
    }
  }
  return ticks;
}

}  // namespace

double Axis::place(double value) const {
  if (!logarithmic) { return (value - low) / (high - low); }
  return std::log(std::max(value, low) / low) / std::log(high / low);
}

Axis value_axis(const std::vector<double>& values, bool logarithmic, bool from_zero, int most_ticks) {
  constexpr double kAir = 0.05, kMost = 1e300;
  double low = INFINITY, high = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value)) { continue; }
    low = std::min(low, std::clamp(value, -kMost, kMost));
    high = std::max(high, std::clamp(value, -kMost, kMost));
  }
  Axis axis;
  if (low <= high) {
    axis.low = low;
    axis.high = high;
    if (logarithmic && low > 0) {
      axis.logarithmic = true;
      const double air = std::pow(std::max(high / low, 1.2), kAir);
      axis.low /= air;
      axis.high *= air;
      axis.ticks = logarithmic_ticks(axis.low, axis.high, most_ticks);
      return axis;
    }
    const double about = std::max(std::abs(low), std::abs(high));
    const double range = high - low > about * 1e-9 ? high - low : about > 0 ? about * 0.2 : 1.0;
    const bool at_zero = from_zero && low >= 0;
    axis.low = at_zero ? 0.0 : low - range * kAir;
    axis.high = high + (at_zero ? std::max(high, range) : range) * kAir;
  }
  axis.ticks =
      linear_ticks(axis.low, axis.high, round_distance((axis.high - axis.low) / (std::max(1, most_ticks) + 1)));
  return axis;
}

Axis step_axis(double first, double last, int most_ticks) {
  Axis axis{.low = first, .high = std::max(last, first + 1)};
  const double distance = std::max(1.0, round_distance((axis.high - axis.low) / (std::max(1, most_ticks) + 1)));
  axis.ticks = linear_ticks(axis.low, axis.high, distance);
  return axis;
}

bool prefers_logarithm(std::vector<double> values) {
  constexpr double kOfMost = 20, kOfMiddle = 100;
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.size() < 3) { return false; }
  std::sort(values.begin(), values.end());
  const std::size_t tenth = values.size() / 10;
  if (values.front() <= 0) { return false; }
  return values[values.size() - 1 - tenth] >= kOfMost * values[tenth] ||
         values.back() >= kOfMiddle * values[values.size() / 2];
}

}  // namespace mdl::worker::reports::page
