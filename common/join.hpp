#pragma once

#include <string>
#include <string_view>

#include "common/str_cat.hpp"

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

/// "1 node", "2 nodes"; `many` where it is not the noun with an s.
template <typename Count>
std::string counted(Count count, std::string_view noun, std::string_view many = {}) {
  if (count == 1) { return str_cat("1 ", noun); }
  return many.empty() ? str_cat(count, " ", noun, "s") : str_cat(count, " ", many);
}

}  // namespace mdl
