#include "worker/reports/page/python_json.hpp"

#include <cstddef>
#include <string_view>

namespace mdl::worker::reports::page {

std::string with_quoted_nonfinite(const std::string& text) {
  if (text.find("NaN") == std::string::npos && text.find("Infinity") == std::string::npos) { return text; }
  const std::string_view all = text;
  std::string result;
  result.reserve(text.size());
  bool in_string = false;
  for (std::size_t at = 0; at < all.size();) {
    const char letter = all[at];
    if (in_string && letter == '\\' && at + 1 < all.size()) {
      result += all.substr(at, 2);
      at += 2;
      continue;
    }
    if (letter == '"') { in_string = !in_string; }
    std::string_view name;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (!in_string && all.substr(at, word.size()) == word) { name = word; }
    }
    if (name.empty()) {
      result += letter;
      ++at;
    } else {
      result.append(1, '"').append(name).append(1, '"');
      at += name.size();
    }
  }
  return result;
}

}  // namespace mdl::worker::reports::page
