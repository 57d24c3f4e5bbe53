#pragma once

#include <optional>

#include "worker/model/config.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker {

/// The type of the base model where --bf16 does not say it: `wanted`, but float32 for a model that needs it
/// (float32_model.hpp), which rank 0 tells.
at::ScalarType automatic_type(at::ScalarType wanted, const model::ModelConfig& config,
                              const std::optional<process::WorkerEnvironment>& environment);

/// Whether a CPU trains such a model in bfloat16 where nobody says otherwise: its matrices are large enough to gain,
/// and nothing forbids it. `multiplies_bfloat16`: the processor has instructions for that (AMX); without them bfloat16
/// is slower than float32. A rule, which was not measured on such a processor.
bool cpu_prefers_bf16(bool multiplies_bfloat16, const model::ModelConfig& config);

/// automatic_type() of a training on this machine's CPU: bfloat16 also where it prefers that, which rank 0 tells.
at::ScalarType automatic_cpu_type(at::ScalarType wanted, const model::ModelConfig& config,
                                  const std::optional<process::WorkerEnvironment>& environment);

}  // namespace mdl::worker
