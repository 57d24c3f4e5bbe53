#include "launcher/dashboard/json_row.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

namespace mdl::launcher::dashboard {
namespace {

constexpr int kDigits = 6;
constexpr double kLargestWithTenths = 1e12;

}  // namespace

void JsonRow::field(const char* begin, const char* end) {
  const auto separate = [this] {
    if (text_.size() > 1) { text_ += ','; }
  };
  for (; nulls_ > 0; --nulls_) {
    separate();
    text_ += "null";
  }
  separate();
  text_.append(begin, end);
}

void JsonRow::count(std::optional<std::int64_t> value) {
  if (!value) { return null(); }
  std::array<char, 24> digits{};
  field(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), *value).ptr);
}

void JsonRow::number(std::int64_t value) {
  count(value == 0 ? std::nullopt : std::optional(value));
}

void JsonRow::value(std::optional<double> value) {
  if (!value) { return null(); }
  if (!std::isfinite(*value)) {
    const std::string_view word = std::isnan(*value) ? "\"nan\"" : *value > 0 ? "\"inf\"" : "\"-inf\"";
    return field(word.data(), word.data() + word.size());
  }
  std::array<char, 32> digits{};
  const auto written =
      std::to_chars(digits.data(), digits.data() + digits.size(), *value, std::chars_format::general, kDigits);
  field(digits.data(), written.ptr);
}

void JsonRow::seconds(std::optional<double> value) {
  const bool in_range = value && std::abs(*value) < kLargestWithTenths;
  if (!in_range) { return null(); }
  std::array<char, 32> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), *value, std::chars_format::fixed, 1);
  field(digits.data(), written.ptr);
}

void JsonRow::text(const std::string& value) {
  if (value.empty()) { return null(); }
  const std::string quoted = nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  field(quoted.data(), quoted.data() + quoted.size());
}

}  // namespace mdl::launcher::dashboard
