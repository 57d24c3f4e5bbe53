#include "worker/planned_run.hpp"

#ifdef MDL_WITH_CUDA
#include <ATen/cuda/CUDAContext.h>
#endif

namespace mdl::worker {

plan::PlannedRun planned_run(const training::TrainOptions& options, const model::ModelConfig& config,
                             at::ScalarType dtype, const plan::HeaviestRows& rows, int64_t ranks) {
  return {.settings = {.config = config,
                       .dtype = dtype,
                       .lora = options.lora,
                       .quantization = options.quantization,
                       .gradient_checkpointing = options.gradient_checkpointing,
                       .frozen_batch_norm = options.batch_norm == training::BatchNorm::frozen},
          .rows = rows,
          .batch_size = options.batch_size,
          .eval_batch_size =
              options.eval_dataset ? std::optional(options.eval_batch_size.value_or(options.batch_size)) : std::nullopt,
          .accumulation_steps = options.accumulation_steps,
          .ranks = ranks,
          .merges = options.merge_lora};
}

plan::PlannedRun planned_run(const TrainingInputs& inputs) {
  return planned_run(inputs.options, inputs.config, inputs.dtype, plan::HeaviestRows(*inputs.train_data),
                     inputs.environment ? inputs.environment->world_size : 1);
}

std::optional<int64_t> memory_of(at::Device device) {
#ifdef MDL_WITH_CUDA
  if (device.is_cuda()) { return static_cast<int64_t>(at::cuda::getDeviceProperties(device.index())->totalGlobalMem); }
#endif
  static_cast<void>(device);
  return std::nullopt;
}

}  // namespace mdl::worker
