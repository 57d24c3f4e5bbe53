#pragma once

#include <string>
#include <string_view>

namespace mdl {

/// The words of a range with `between` between them: "a, b, c". `before` and `after` stand around each of them.
template <typename Words>
std::string joined(const Words& words, std::string_view between = ", ", std::string_view before = {},
                   std::string_view after = {}) {
  std::string text;
  bool first = true;
  for (const auto& word : words) {
    if (!first) { text += between; }
    first = false;
    text += before;
    text += word;
    text += after;
  }
  return text;
}

}  // namespace mdl
