#pragma once

#include <string>

namespace mdl::worker::reports::page {

/// `text`, which Python's json module wrote, as JSON: its NaN, Infinity and -Infinity, which JSON has not, become
/// strings of these names. Lines stay lines.
std::string with_quoted_nonfinite(const std::string& text);

}  // namespace mdl::worker::reports::page
