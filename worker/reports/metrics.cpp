#include "worker/reports/metrics.hpp"

#include <array>
#include <cstdio>

#include "common/str_cat.hpp"

namespace mdl::worker::reports {

std::string four_digits(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

std::string format_metrics(const Metrics& metrics) {
  std::string text = "{";
  for (const auto& [name, value] : metrics) {
    text += str_cat(text.size() > 1 ? ", " : "", "'", name, "': '", four_digits(value), "'");
  }
  return text + "}";
}

}  // namespace mdl::worker::reports
