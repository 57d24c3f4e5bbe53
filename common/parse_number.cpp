#include "common/parse_number.hpp"

#include <charconv>
#include <cmath>
#include <string>

namespace mdl {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// `text` in the form that std::from_chars reads; nullopt where Python would refuse what that takes.
std::optional<std::string> in_plain_form(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\v\f\r";
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) { return std::nullopt; }
  text = text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
  if (text.starts_with("+-")) { return std::nullopt; }
  if (text.starts_with('+')) { text.remove_prefix(1); }
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return plain;
}

template <typename Number>
std::optional<Number> parse(std::string_view text) {
  const std::optional<std::string> plain = in_plain_form(text);
  if (!plain) { return std::nullopt; }
  Number number{};
  const char* const end = plain->data() + plain->size();
  const auto [stop, error] = std::from_chars(plain->data(), end, number);
  if (error != std::errc() || stop != end) { return std::nullopt; }
  return number;
}

}  // namespace

std::optional<std::int64_t> parse_whole_number(std::string_view text) {
  return parse<std::int64_t>(text);
}

std::optional<double> parse_real_number(std::string_view text) {
  const auto number = parse<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

}  // namespace mdl
