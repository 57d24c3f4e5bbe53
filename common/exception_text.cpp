#include "common/exception_text.hpp"

#include <new>
#include <stdexcept>

namespace mdl {

bool is_out_of_memory(const std::exception& error) {
  // A length_error is a vector's or a string's that would be longer than any memory.
  return dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const std::length_error*>(&error);
}

Error as_error(const std::exception& error) {
  if (const auto* own = dynamic_cast<const Error*>(&error)) { return *own; }
  if (!is_out_of_memory(error)) { return Error(error.what()); }
  return Error("out of memory: the computer, or a limit that is set for this program (ulimit -v), has no more for it",
               "Close other programs, raise the limit, or have less done at once.");
}

std::string describe_exception(const std::exception& error) {
  return as_error(error).what();
}

}  // namespace mdl
