#include "worker/automatic_type.hpp"

#include "common/log.hpp"
#include "worker/model/float32_model.hpp"

namespace mdl::worker {

at::ScalarType automatic_type(at::ScalarType wanted, const model::ModelConfig& config,
                              const std::optional<process::WorkerEnvironment>& environment) {
  if (wanted != at::kBFloat16 || !model::needs_float32(config)) { return wanted; }
  if (!environment || environment->rank == 0) {
    log::news("the model stays in float32: in bfloat16 its published weights give numbers that are not finite. ",
              "--bf16 true overrules this");
  }
  return at::kFloat;
}

}  // namespace mdl::worker
