#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mdl {

/// A number as Python's int() reads it, for the options and variables that torchrun and accelerate read so: blanks,
/// tabs and line ends around it, a sign before it, single underscores between its digits ("1_000"), zeros at its front.
/// ASCII digits only. nullopt for anything else, and for what an int64 does not hold.
std::optional<std::int64_t> parse_whole_number(std::string_view text);

/// The same for Python's float(), which has a fraction and an exponent besides. nullopt also for infinity and nan, of
/// which no option makes sense.
std::optional<double> parse_real_number(std::string_view text);

}  // namespace mdl
