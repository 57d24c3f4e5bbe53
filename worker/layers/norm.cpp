#include "worker/layers/norm.hpp"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// One node instead of the seven that autograd would make; the weight is frozen.
struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, double eps) {
    const at::Tensor wide = x.to(at::kFloat);
    const at::Tensor inverse = at::rsqrt(wide.square().mean(-1, /*keepdim=*/true).add_(eps));
    context->save_for_backward({x, weight, inverse});
    at::Tensor y = (wide * inverse).to(x.scalar_type());  // rounded before the weight, as transformers does
    return y.mul_(weight);
  }

  /// With r the inverse root and g the gradient times the weight: r · g - x · r³ · mean(g · x).
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor wide = saved[0].to(at::kFloat);
    const at::Tensor& inverse = saved[2];
    at::Tensor grad = (grads[0] * saved[1]).to(at::kFloat);
    const at::Tensor mean = (grad * wide).mean(-1, /*keepdim=*/true);
    grad.mul_(inverse).addcmul_(wide, mean.mul_(inverse.pow(3)), -1);
    return {grad.to(saved[0].scalar_type()), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

RmsNorm::RmsNorm(int64_t dim, double eps, at::ScalarType dtype) : eps_(eps) {
  declare_parameter(weight_, "weight", {dim}, dtype);
}

at::Tensor RmsNorm::forward(const at::Tensor& x) const {
  return RmsNormFunction::apply(x, weight_, eps_);
}

LayerNorm::LayerNorm(int64_t dim, double eps, at::ScalarType dtype) : eps_(eps) {
  declare_parameter(weight_, "weight", {dim}, dtype);
  declare_parameter(bias_, "bias", {dim}, dtype);
}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, weight_.sizes(), weight_, bias_, eps_);
}

MelBatchNorm::MelBatchNorm(int64_t bins, at::ScalarType dtype) {
  declare_parameter(weight_, "weight", {bins}, dtype);
  declare_parameter(bias_, "bias", {bins}, dtype);
  declare_buffer(running_mean_, "running_mean", {bins}, dtype);
  declare_buffer(running_var_, "running_var", {bins}, dtype);
  batches_ = at::zeros({}, at::kLong);
  declare_buffer(batches_, "num_batches_tracked", {}, at::kLong);
}

at::Tensor MelBatchNorm::forward(const at::Tensor& x) {
  const bool batch_statistics = is_training() && !always_use_running_statistics;
  if (batch_statistics) { batches_.add_(1); }
  return at::batch_norm(x, weight_, bias_, running_mean_, running_var_, batch_statistics, /*momentum=*/0.01,
                        /*eps=*/1e-5, /*cudnn_enabled=*/true);
}

}  // namespace mdl::worker::layers
