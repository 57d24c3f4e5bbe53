#include "launcher/status/status_numbers.hpp"

#include <cmath>
#include <cstdio>

namespace mdl::launcher::status {

std::string fixed(double number) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(number) < 1e9 ? "%.1f" : "%.3g", number);
  return text;
}

std::string four_digits(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", number);
  return text;
}

}  // namespace mdl::launcher::status
