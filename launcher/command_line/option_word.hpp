#pragma once

#include <string>

#include "common/parse_number.hpp"

namespace mdl::launcher::command_line {

/// Whether argparse takes the word behind an option for that option's value: what does not begin with a dash, a
/// negative number (which then is a wrong value, rather than none at all), or a text with a blank in it.
inline bool may_be_option_value(const std::string& word) {
  if (word.size() < 2 || word[0] != '-') { return true; }
  return parse_real_number(word).has_value() || (word[1] != '-' && word.find(' ') != std::string::npos);
}

}  // namespace mdl::launcher::command_line
