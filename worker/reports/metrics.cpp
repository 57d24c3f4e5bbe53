#include "worker/reports/metrics.hpp"

#include <iomanip>

#include "common/str_cat.hpp"

namespace mdl::worker::reports {

std::string four_digits(double value) {
  return str_cat(std::setprecision(4), value);
}

std::string format_metrics(const Metrics& metrics) {
  std::string text = "{";
  for (const auto& [name, value] : metrics) {
    text += str_cat(text.size() > 1 ? ", " : "", "'", name, "': '", four_digits(value), "'");
  }
  return text + "}";
}

}  // namespace mdl::worker::reports
