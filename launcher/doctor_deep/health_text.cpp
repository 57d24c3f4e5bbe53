#include "launcher/doctor_deep/health_text.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include "common/str_cat.hpp"

namespace mdl::launcher::doctor_deep {
namespace {

constexpr std::array kPrefixes{"", "k", "M", "G", "T", "P"};

/// The power of 1000 that `value` is told in: 999.6 thousands are told as a million.
std::size_t prefix_of(std::int64_t value) {
  std::size_t prefix = 0;
  auto rest = static_cast<double>(value);
  for (; rest >= 999.5 && prefix + 1 < kPrefixes.size(); rest /= 1000) { ++prefix; }
  return prefix;
}

std::string digits(std::int64_t value, std::size_t prefix) {
  const double scaled = static_cast<double>(value) / std::pow(1000, static_cast<double>(prefix));
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), scaled < 999.5 ? "%.3g" : "%.0f", scaled);
  return text.data();
}

}  // namespace

std::string scaled(std::int64_t value, const std::string& unit) {
  return str_cat(digits(value, prefix_of(value)), ' ', kPrefixes.at(prefix_of(value)), unit);
}

std::string scaled_of(std::int64_t value, std::int64_t whole, const std::string& unit) {
  return str_cat(digits(value, prefix_of(whole)), " of ", scaled(whole, unit));
}

std::string scaled_range(std::int64_t least, std::int64_t most, const std::string& unit) {
  const std::size_t prefix = prefix_of(most);
  if (digits(least, prefix) == digits(most, prefix)) { return scaled(most, unit); }
  return str_cat(digits(least, prefix), " to ", scaled(most, unit));
}

std::string time_text(std::int64_t nanoseconds) {
  if (nanoseconds < 1'000'000) { return str_cat(digits(nanoseconds, 1), " µs"); }
  return str_cat(digits(nanoseconds, 2), " ms");
}

}  // namespace mdl::launcher::doctor_deep
