#include "common/version.hpp"

#include "mdl_version.h"

namespace mdl {

const char* version() {
  return MDL_VERSION;
}

const char* commit() {
  return MDL_COMMIT;
}

}  // namespace mdl
