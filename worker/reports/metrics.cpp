#include "worker/reports/metrics.hpp"

#include <cmath>
#include <iomanip>

#include "common/str_cat.hpp"

namespace mdl::worker::reports {
namespace {

double rounded(double value, double places) {
  return std::round(value * std::pow(10, places)) / std::pow(10, places);
}

}  // namespace

std::string four_digits(double value) {
  return str_cat(std::setprecision(4), value);
}

Metrics speed(const std::string& prefix, double seconds, double samples, double steps) {
  return {{prefix + "_runtime", rounded(seconds, 4)},
          {prefix + "_samples_per_second", rounded(samples / seconds, 3)},
          {prefix + "_steps_per_second", rounded(steps / seconds, 3)}};
}

std::string format_metrics(const Metrics& metrics) {
  std::string text = "{";
  for (const auto& [name, value] : metrics) {
    text += str_cat(text.size() > 1 ? ", " : "", "'", name, "': '", four_digits(value), "'");
  }
  return text + "}";
}

}  // namespace mdl::worker::reports
