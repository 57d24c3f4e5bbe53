#include "worker/adapter/unquantized.hpp"

#include <c10/core/GradMode.h>

namespace mdl::worker::adapter {

std::shared_ptr<model::MiDashengLM> unquantized_copy(model::MiDashengLM& trained, const LoraConfig& lora,
                                                     const std::filesystem::path& model_folder) {
  const at::NoGradGuard no_grad;
  auto copy = model::load_model(model_folder, trained.dtype(), at::kCPU);
  attach_lora(*copy, lora, /*seed=*/0);
  const tensors::NamedTensors values = lora_parameters(trained);
  const tensors::NamedTensors places = lora_parameters(*copy);
  TORCH_INTERNAL_ASSERT(values.size() == places.size());
  for (size_t i = 0; i < values.size(); ++i) { places[i].second.copy_(values[i].second); }
  const auto from = layers::tensor_slots(trained), to = layers::tensor_slots(*copy);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i].slot.is_buffer) { to[i].slot.tensor->copy_(*from[i].slot.tensor); }
  }
  return copy;
}

}  // namespace mdl::worker::adapter
