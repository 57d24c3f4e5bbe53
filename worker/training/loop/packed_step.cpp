#include "worker/training/loop/packed_step.hpp"

namespace mdl::worker::training::loop {

model::HostMemory host_memory_for(at::Device device) {
  return device.is_cpu() ? model::HostMemory::plain : model::HostMemory::pinned;
}

PackedStep pack_step(data::StepData data, const model::MiDashengLM& model) {
  PackedStep step;
  for (batch::Batch& batch : data.batches) {
    if (data.label_tokens > 0) { step.batches.push_back(model.pack(batch, host_memory_for(model.device()))); }
    batch = {};  // its sounds are there twice now
  }
  data.batches.clear();
  step.data = std::move(data);
  return step;
}

}  // namespace mdl::worker::training::loop
