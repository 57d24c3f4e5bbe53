#include "common/version.hpp"

namespace mdl {

const char* version() {
  return MDL_VERSION;
}

}  // namespace mdl
