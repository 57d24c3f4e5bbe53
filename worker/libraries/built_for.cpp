#include "worker/libraries/built_for.hpp"

namespace mdl::worker::libraries {

const BuiltFor& built_for() {
  static const BuiltFor built{MDL_TORCH_VERSION, MDL_TORCH_FLAVOUR, MDL_ARROW_VERSION, MDL_ARROW_LIBRARY};
  return built;
}

BuiltFor without_cuda(BuiltFor built) {
  built.flavour.clear();
  return built;
}

}  // namespace mdl::worker::libraries
