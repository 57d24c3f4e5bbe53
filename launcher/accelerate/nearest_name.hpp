#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::accelerate {

/// The candidate that a misspelt `name` most likely means: the one with the fewest single-letter edits, when these are
/// at most a third of its length. Empty when nothing comes near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace mdl::launcher::accelerate
