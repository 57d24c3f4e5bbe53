#pragma once

#include <optional>

#include "worker/model/config.hpp"
#include "worker/process/worker_environment.hpp"

namespace mdl::worker {

/// The type of the base model where --bf16 does not say it: `wanted`, but float32 for a model that needs it
/// (float32_model.hpp), which rank 0 tells.
at::ScalarType automatic_type(at::ScalarType wanted, const model::ModelConfig& config,
                              const std::optional<process::WorkerEnvironment>& environment);

}  // namespace mdl::worker
