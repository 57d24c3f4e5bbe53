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

void Layer::declare_slot_of(Layer& part, const std::string& part_name, const std::string& name) {
  for (const Slot& slot : part.slots_) {
    if (slot.name != part_name) { continue; }
    slots_.push_back(slot);
    slots_.back().name = name;
    return;
  }
  TORCH_INTERNAL_ASSERT(false, "no slot ", part_name);
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

void register_at(torch::nn::Module& root, const std::string& path, const std::shared_ptr<Layer>& layer) {
  const auto dot = path.find('.');
  const std::string first = path.substr(0, dot);
  if (dot == std::string::npos) {
    root.register_module(first, layer);
    return;
  }
  const auto children = root.named_children();
  const auto there = children.find(first);
  auto& next = there ? **there : *root.register_module(first, std::make_shared<Layer>());
  register_at(next, path.substr(dot + 1), layer);
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
