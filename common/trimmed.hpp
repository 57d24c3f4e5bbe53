#pragma once

#include <string>

namespace mdl {

/// `text` without the white space (blanks, tabs, line ends) around it.
inline std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace mdl
