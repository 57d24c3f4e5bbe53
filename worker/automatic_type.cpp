#include "worker/automatic_type.hpp"

#include "common/log.hpp"
#include "worker/layers/cpu_product.hpp"
#include "worker/model/float32_model.hpp"

namespace mdl::worker {
namespace {

/// Narrower decoders are models of about a billion parameters and less.
constexpr int64_t kLeastHiddenSize = 2048;

}  // namespace

at::ScalarType automatic_type(at::ScalarType wanted, const model::ModelConfig& config,
                              const std::optional<process::WorkerEnvironment>& environment) {
  if (wanted != at::kBFloat16 || !model::needs_float32(config)) { return wanted; }
  if (!environment || environment->rank == 0) {
    log::news("the model stays in float32: in bfloat16 its published weights give numbers that are not finite. ",
              "--bf16 true overrules this");
  }
  return at::kFloat;
}

bool cpu_prefers_bf16(bool multiplies_bfloat16, const model::ModelConfig& config) {
  return multiplies_bfloat16 && config.text.hidden_size >= kLeastHiddenSize && !model::needs_float32(config);
}

at::ScalarType automatic_cpu_type(at::ScalarType wanted, const model::ModelConfig& config,
                                  const std::optional<process::WorkerEnvironment>& environment) {
  if (wanted == at::kBFloat16 || !cpu_prefers_bf16(layers::cpu_multiplies_bfloat16(), config)) {
    return automatic_type(wanted, config, environment);
  }
  if (!environment || environment->rank == 0) {
    log::news(
        "the base model is in bfloat16, of which this CPU multiplies matrices (AMX). --bf16 false overrules this");
  }
  return at::kBFloat16;
}

}  // namespace mdl::worker
