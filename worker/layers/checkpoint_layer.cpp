#include "worker/layers/checkpoint_layer.hpp"

#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <mutex>

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;
using LayerFunction = std::function<at::Tensor(const at::Tensor&)>;

/// AutogradContext keeps values of TorchScript's types only; a function travels in a capsule.
struct LayerCapsule : torch::CustomClassHolder {
  explicit LayerCapsule(LayerFunction function) : layer(std::move(function)) {}
  LayerFunction layer;
};

at::Tensor random_state(at::Device device) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  return generator.get_state();
}

void set_random_state(at::Device device, const at::Tensor& state) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard lock(generator.mutex());
  generator.set_state(state);
}

/// Sets a device's random state for a while, then the one it had.
class RandomStateGuard {
 public:
  RandomStateGuard(at::Device device, const at::Tensor& state) : device_(device), outer_(random_state(device)) {
    set_random_state(device_, state);
  }
  ~RandomStateGuard() { set_random_state(device_, outer_); }
  RandomStateGuard(const RandomStateGuard&) = delete;
  RandomStateGuard& operator=(const RandomStateGuard&) = delete;

 private:
  at::Device device_;
  at::Tensor outer_;
};

struct CheckpointedLayer : torch::autograd::Function<CheckpointedLayer> {
  /// `inputs` are x and the trained tensors.
  static at::Tensor forward(AutogradContext* context, const LayerFunction& layer, at::TensorList inputs) {
    context->saved_data["layer"] = c10::IValue::make_capsule(c10::make_intrusive<LayerCapsule>(layer));
    context->saved_data["random_state"] = random_state(inputs[0].device());
    context->save_for_backward(inputs.vec());
    return layer(inputs[0]);  // in forward() of a Function no graph is recorded
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grad_outputs) {
    tensor_list inputs = context->get_saved_variables();
    const auto capsule = c10::static_intrusive_pointer_cast<LayerCapsule>(context->saved_data["layer"].toCapsule());
    // Cut off from the outer graph: the inner backward pass ends here.
    inputs[0] = inputs[0].detach().requires_grad_(inputs[0].requires_grad());

    at::Tensor output;
    {
      const RandomStateGuard guard(inputs[0].device(), context->saved_data["random_state"].toTensor());
      const at::AutoGradMode record(true);
      output = capsule->layer(inputs[0]);
    }
    tensor_list wanted;
    for (const auto& input : inputs) {
      if (input.requires_grad()) { wanted.push_back(input); }
    }
    const tensor_list found = torch::autograd::grad({output}, wanted, grad_outputs);
    tensor_list grads(1);  // none for the function
    size_t next = 0;
    for (const auto& input : inputs) { grads.push_back(input.requires_grad() ? found[next++] : at::Tensor()); }
    return grads;
  }
};

}  // namespace

at::Tensor checkpoint_layer(const LayerFunction& layer, const at::Tensor& x, const std::vector<at::Tensor>& trained) {
  if (!at::GradMode::is_enabled()) { return layer(x); }
  tensor_list inputs = {x};
  inputs.insert(inputs.end(), trained.begin(), trained.end());
  return CheckpointedLayer::apply(layer, at::TensorList(inputs));
}

}  // namespace mdl::worker::layers
