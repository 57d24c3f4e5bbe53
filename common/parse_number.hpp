#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace mdl {

/// A number as Python's int() reads it, for the options and variables that torchrun and accelerate read so: blanks,
/// tabs and line ends around it, a sign before it, single underscores between its digits ("1_000"), zeros at its front.
/// ASCII digits only. nullopt for anything else, and for what an int64 does not hold.
std::optional<std::int64_t> parse_whole_number(std::string_view text);

/// The same for Python's float(), which has a fraction and an exponent besides. nullopt also for infinity and nan, of
/// which no option makes sense.
std::optional<double> parse_real_number(std::string_view text);

/// A number as programs write it: digits of `base` and nothing else, not even a sign. nullopt for anything else, and
/// for what an Integer does not hold.
template <typename Integer>
std::optional<Integer> parse_digits(std::string_view text, int base = 10) {
  Integer number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end || text.front() == '-') { return std::nullopt; }
  return number;
}

}  // namespace mdl
