#pragma once

#include <c10/core/Device.h>

#include <optional>

#include "worker/plan/memory_plan.hpp"
#include "worker/training/train_options.hpp"
#include "worker/training_inputs.hpp"

namespace mdl::worker {

/// The training that `options` describe, for a plan of its memory. `options.lora` is what the adapters will be.
plan::PlannedRun planned_run(const training::TrainOptions& options, const model::ModelConfig& config,
                             at::ScalarType dtype, const plan::HeaviestRows& rows, int64_t ranks);

/// That of a process of train's; all datasets are there.
plan::PlannedRun planned_run(const TrainingInputs& inputs);

/// Bytes of the memory of `device`; nothing for the CPU.
std::optional<int64_t> memory_of(at::Device device);

}  // namespace mdl::worker
