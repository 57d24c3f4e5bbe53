#include "launcher/metrics/exposition.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace mdl::launcher::metrics {
namespace {

constexpr double kLargestWhole = 1e15;  // below which a double that is whole is written as such
constexpr int kDigitsOfFraction = 9;    // of one that is not

void append_escaped(std::string& text, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') { text += '\\'; }
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
}

void append_number(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "NaN";
    return;
  }
  if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  std::array<char, 32> digits{};
  char* const end = digits.data() + digits.size();
  const bool whole = std::abs(value) < kLargestWhole && value == std::floor(value);
  const auto written = whole ? std::to_chars(digits.data(), end, static_cast<std::int64_t>(value))
                             : std::to_chars(digits.data(), end, value, std::chars_format::general, kDigitsOfFraction);
  text.append(digits.data(), written.ptr);
}

}  // namespace

std::string to_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) { text += ','; }
    text.append(name).append("=\"");
    append_escaped(text, value);
    text += '"';
  }
  return text;
}

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  pending_head_.assign("# HELP ").append(name).append(" ").append(help);
  pending_head_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
}

void Exposition::sample(std::string_view labels, double value) {
  text_ += pending_head_;
  pending_head_.clear();
  text_.append(name_).append("{").append(labels).append("} ");
  append_number(text_, value);
  text_ += '\n';
}

}  // namespace mdl::launcher::metrics
