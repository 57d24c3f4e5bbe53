#include "common/error.hpp"

#include <system_error>

namespace mdl {

std::string describe_errno(const std::string& operation, const std::string& object, int errno_value) {
  return operation + " " + object + ": " + std::generic_category().message(errno_value);
}

}  // namespace mdl
