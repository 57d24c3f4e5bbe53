#include "worker/model/linear.hpp"

#include <ATen/ops/addmm.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>

#include <c10/core/GradMode.h>

namespace mdl {

Linear::Linear(int64_t in, int64_t out, bool with_bias, at::ScalarType dtype) {
  declare_parameter(weight, "weight", {out, in}, dtype);
  if (with_bias) declare_parameter(bias, "bias", {out}, dtype);
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  at::Tensor y = bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  if (!adapter) return y;
  at::Tensor input = x.to(adapter->a.scalar_type());
  if (adapter->dropout > 0) input = at::dropout(input, adapter->dropout, is_training());
  const at::Tensor low = at::linear(input, adapter->a);
  // The scaled product is added while it is computed, which saves a tensor of the output's size.
  return at::addmm(y.to(low.scalar_type()), low, adapter->b.t(), 1, adapter->scaling).to(y.scalar_type());
}

void Linear::collect_trained(std::vector<at::Tensor>& into) const {
  if (!adapter) return;
  into.push_back(adapter->a);
  into.push_back(adapter->b);
}

void Linear::merge() {
  if (!adapter) return;
  const at::NoGradGuard no_grad;
  at::Tensor delta = at::matmul(adapter->b, adapter->a);
  weight.add_(delta.mul_(adapter->scaling));
  adapter.reset();
}

}  // namespace mdl
