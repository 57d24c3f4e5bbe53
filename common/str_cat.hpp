#pragma once

#include <sstream>
#include <string>

namespace mdl {

/// Joins values into one string, each as operator<< prints it. For messages; not for hot loops.
template <typename... Values>
std::string str_cat(const Values&... values) {
  std::ostringstream out;
  (out << ... << values);
  return std::move(out).str();
}

}  // namespace mdl
