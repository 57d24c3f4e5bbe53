#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::cli {

/// The one of `names` that `typed` was most likely meant to be (fewest single-letter edits), or an empty string when
/// none is close: more than a third of its letters differ.
std::string nearest_name(std::string_view typed, const std::vector<std::string>& names);

}  // namespace mdl::worker::cli
