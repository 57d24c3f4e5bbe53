#include "worker/libraries/model_program.hpp"

#include "common/nvidia/gpu_signs.hpp"

namespace mdl::worker::libraries {

ModelProgram model_program(bool gpu, const BuiltFor& built) {
  if (gpu || !built.has_cuda()) { return {kModelProgram, built}; }
  return {kModelCpuProgram, without_cuda(built)};
}

ModelProgram model_program_here() {
  return model_program(nvidia::may_have_gpu());
}

}  // namespace mdl::worker::libraries
