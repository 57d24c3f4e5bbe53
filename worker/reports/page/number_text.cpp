#include "worker/reports/page/number_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "common/str_cat.hpp"

namespace mdl::worker::reports::page {
namespace {

std::string printed(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// "5e-06" as "5e-6".
std::string short_exponent(std::string text) {
  const auto e = text.find('e');
  if (e == std::string::npos) { return text; }
  std::size_t digits = e + 1;
  if (text[digits] == '+') {
    text.erase(digits, 1);
  } else if (text[digits] == '-') {
    ++digits;
  }
  while (digits + 1 < text.size() && text[digits] == '0') { text.erase(digits, 1); }
  return text;
}

}  // namespace

std::string grouped(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) { text.insert(at -= 3, 1, ','); }
  return text;
}

std::string short_number(double value) {
  constexpr double kMostGrouped = 1e9;
  if (!std::isfinite(value)) { return std::isnan(value) ? "NaN" : value > 0 ? "∞" : "−∞"; }
  if (value == std::floor(value) && std::abs(value) < kMostGrouped) {
    return grouped(static_cast<std::int64_t>(value));
  }
  if (std::abs(value) >= 1e4 && std::abs(value) < kMostGrouped) { return grouped(std::llround(value)); }
  return short_exponent(printed("%.4g", value));
}

std::string exact_number(double value) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string bytes_text(double bytes) {
  constexpr double kKibi = 1024;
  const std::array<const char*, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= kKibi && unit + 1 < units.size(); ++unit) { bytes /= kKibi; }
  return str_cat(printed(unit == 0 || bytes >= 100 ? "%.0f"
                         : bytes >= 10             ? "%.1f"
                                                   : "%.2f",
                         bytes),
                 " ", units.at(unit));
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e12) { return "?"; }
  if (seconds < 10) { return printed("%.1f s", seconds); }
  constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 86400;
  const std::int64_t whole = std::llround(seconds);
  if (whole < kMinute) { return str_cat(whole, " s"); }
  if (whole < kHour) { return str_cat(whole / kMinute, " min ", whole % kMinute, " s"); }
  if (whole < kDay) { return str_cat(whole / kHour, " h ", whole % kHour / kMinute, " min"); }
  return str_cat(whole / kDay, " d ", whole % kDay / kHour, " h");
}

std::string time_text(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  std::array<char, 64> text{};
  if (!::gmtime_r(&time, &parts) || !std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)) {
    return "?";
  }
  return text.data();
}

}  // namespace mdl::worker::reports::page
