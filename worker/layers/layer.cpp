#include "worker/layers/layer.hpp"

#include <ATen/ops/empty.h>

#include <utility>

namespace mdl::worker::layers {
void Layer::declare_parameter(at::Tensor& member, const std::string& name, at::IntArrayRef shape,
                              at::ScalarType dtype) {
  member = at::empty(shape, at::TensorOptions().dtype(dtype).device(at::kMeta));
  slots_.push_back({name, &member, /*is_buffer=*/false, /*required=*/true});
}

void Layer::declare_buffer(at::Tensor& member, const std::string& name, at::IntArrayRef shape, at::ScalarType dtype) {
  const bool has_default = member.defined();
  if (!has_default) { member = at::empty(shape, at::TensorOptions().dtype(dtype).device(at::kMeta)); }
  slots_.push_back({name, &member, /*is_buffer=*/true, /*required=*/!has_default});
}

void Layer::set_tensor(const std::string& name, at::Tensor value) {
  for (auto& slot : slots_) {
    if (slot.name != name) { continue; }
    value.set_requires_grad(false);
    *slot.tensor = std::move(value);
    return;
  }
  TORCH_INTERNAL_ASSERT(false, "no slot ", name);
}

std::vector<OwnedSlot> tensor_slots(torch::nn::Module& root) {
  std::vector<OwnedSlot> found;
  const auto add = [&](Layer& layer, const std::string& prefix) {
    for (const auto& slot : layer.slots()) {
      found.push_back({&layer, slot, prefix.empty() ? slot.name : prefix + "." + slot.name});
    }
  };
  if (auto* layer = dynamic_cast<Layer*>(&root)) { add(*layer, ""); }
  for (const auto& item : root.named_modules("", /*include_self=*/false)) {
    if (auto* layer = dynamic_cast<Layer*>(item.value().get())) { add(*layer, item.key()); }
  }
  return found;
}

}  // namespace mdl::worker::layers
