#include "common/exception_text.hpp"

#include <new>
#include <stdexcept>

namespace mdl {

std::string describe_exception(const std::exception& error) {
  // A length_error is a vector's or a string's that would be longer than any memory.
  const bool no_memory = dynamic_cast<const std::bad_alloc*>(&error) || dynamic_cast<const std::length_error*>(&error);
  if (!no_memory) { return error.what(); }
  return "out of memory: the computer, or a limit that is set for this program (ulimit -v), has no more for it\n"
         "  Close other programs, raise the limit, or have less done at once.";
}

}  // namespace mdl
