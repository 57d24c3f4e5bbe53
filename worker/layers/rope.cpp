#include "worker/layers/rope.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/pow.h>
#include <torch/csrc/autograd/custom_function.h>

#include "worker/layers/cpu_operators.hpp"

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Rotates by the angle, or by its negative: `sign` 1 or -1.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int sign) {
  if (takes_cpu_kernels(x) && takes_cpu_kernels(cos, sin)) { return cpu_rotated(x, cos, sin, sign); }
  const int64_t half = x.size(-1) / 2;
  at::Tensor y = at::empty_like(x, at::MemoryFormat::Contiguous);
  const auto first = x.narrow(-1, 0, half), second = x.narrow(-1, half, half);
  auto out_first = y.narrow(-1, 0, half), out_second = y.narrow(-1, half, half);
  at::mul_out(out_first, first, cos).addcmul_(second, sin, -sign);
  at::mul_out(out_second, second, cos).addcmul_(first, sin, sign);
  return y;
}

/// The gradient of a rotation is the rotation back, so nothing but the angles is kept.
struct Rotation : torch::autograd::Function<Rotation> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate(x, cos, sin, 1);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    return {rotate(grads[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

RopeAngles rope_angles(const at::Tensor& positions, int64_t head_dim, double theta, at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(positions.device());
  const at::Tensor exponents = at::arange(0, head_dim, 2, options) / static_cast<double>(head_dim);
  const at::Tensor frequencies = at::pow(theta, exponents).reciprocal();
  const at::Tensor angles = (positions.to(at::kFloat).unsqueeze(1) * frequencies).unsqueeze(1);
  return {angles.cos().to(dtype), angles.sin().to(dtype)};
}

at::Tensor rotated(const at::Tensor& x, const RopeAngles& rope) {
  return Rotation::apply(x, rope.cos, rope.sin);
}

}  // namespace mdl::worker::layers
