#include "worker/training/unquantized.hpp"

#include <c10/core/GradMode.h>

namespace mdl {

std::shared_ptr<MiDashengLM> unquantized_copy(MiDashengLM& trained, const LoraConfig& lora,
                                              const std::filesystem::path& model_folder) {
  const at::NoGradGuard no_grad;
  auto copy = load_model(model_folder, trained.dtype(), at::kCPU);
  attach_lora(*copy, lora, /*seed=*/0);
  const NamedTensors values = lora_parameters(trained);
  const NamedTensors places = lora_parameters(*copy);
  TORCH_INTERNAL_ASSERT(values.size() == places.size());
  for (size_t i = 0; i < values.size(); ++i) { places[i].second.copy_(values[i].second); }
  const auto from = tensor_slots(trained), to = tensor_slots(*copy);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i].slot.is_buffer) { to[i].slot.tensor->copy_(*from[i].slot.tensor); }
  }
  return copy;
}

}  // namespace mdl
