#include "worker/adapter/running_statistics.hpp"

#include <torch/torch.h>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::adapter {

tensors::NamedTensors running_statistics(model::MiDashengLM& model) {
  tensors::NamedTensors tensors;
  for (const layers::OwnedSlot& owned : layers::tensor_slots(*model.audio_encoder->init_bn)) {
    if (owned.slot.is_buffer) { tensors.emplace_back(owned.slot.name, *owned.slot.tensor); }
  }
  return tensors;
}

void save_running_statistics(model::MiDashengLM& model, const std::filesystem::path& file) {
  tensors::save_safetensors(file, running_statistics(model));
}

void load_running_statistics(model::MiDashengLM& model, const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kRunningStatisticsFile;
  if (!std::filesystem::exists(file)) { return; }
  const torch::NoGradGuard no_grad;
  const tensors::SafetensorsFile saved(file);
  for (auto& [name, tensor] : running_statistics(model)) {
    const at::Tensor value = saved.tensor(name);
    if (value.sizes() != tensor.sizes()) {
      throw Error(str_cat(file.string(), " belongs to another model: ", name, " has the shape ", value.sizes()));
    }
    tensor.copy_(value);
  }
}

}  // namespace mdl::worker::adapter
