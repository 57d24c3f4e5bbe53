#include "worker/layers/gated_silu.hpp"

#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include "worker/layers/cpu_operators.hpp"

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct GatedSilu : torch::autograd::Function<GatedSilu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    context->save_for_backward({gate, up});
    return takes_cpu_kernels(gate, up) ? cpu_gated_silu(gate, up) : at::silu(gate).mul_(up);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &gate = saved[0], &up = saved[1];
    if (takes_cpu_kernels(gate, up)) {
      auto [of_gate, of_up] = cpu_gated_silu_gradient(grads[0], gate, up);
      return {of_gate, of_up};
    }
    at::Tensor of_gate = grads[0] * up;
    of_gate = at::silu_backward(of_gate, gate);  // each of these is large: none lives longer than it must
    return {of_gate, at::silu(gate).mul_(grads[0])};
  }
};

}  // namespace

at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up) {
  return GatedSilu::apply(gate, up);
}

}  // namespace mdl::worker::layers
