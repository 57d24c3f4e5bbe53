#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mdl {

/// The one of `names` that `typed` was most likely meant to be: an option, a command, a key or one of a few values. It
/// is the one with the fewest typing errors, the first of those that have as few; nothing where each has more than one
/// error in three letters (in a shorter word, more than one). An error is a letter that is missing, too many or another
/// one, or two neighbours that changed places (Damerau's distance, each letter moved once). Capitals and small letters
/// are the same, and so are '-' and '_'.
std::optional<std::string> nearest_name(std::string_view typed, std::span<const std::string> names);

/// "Did you mean --nnodes? " where there is a nearest name, with `dashes` before it; else nothing. Goes in front of an
/// error's advice.
std::string did_you_mean(std::string_view typed, std::span<const std::string> names, std::string_view dashes = {});

}  // namespace mdl
