#pragma once

#include <vector>

#include "worker/model/midashenglm.hpp"
#include "worker/training/data/step_source.hpp"

namespace mdl::worker::training::loop {

/// What this rank computes in a step, ready to be copied to the device.
struct PackedStep {
  data::StepData data;                      ///< without its batches
  std::vector<model::PackedBatch> batches;  ///< of data.batches; none where the step has no label
};

/// Packs each micro-batch into memory from which the model's device copies without a wait. Any thread may call it.
/// Throws Error for a batch that makes no sense, see MiDashengLM.
PackedStep pack_step(data::StepData data, const model::MiDashengLM& model);

/// Where batches for `device` are laid out.
model::HostMemory host_memory_for(at::Device device);

}  // namespace mdl::worker::training::loop
