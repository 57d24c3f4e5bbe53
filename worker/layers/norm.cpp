#include "worker/layers/norm.hpp"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/version.h>

#include "worker/layers/cpu_operators.hpp"

// From 2.9 on LibTorch has the kernels for GPUs.
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
#define MDL_FUSED_RMS_NORM
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/_fused_rms_norm_backward.h>
#endif

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

#ifdef MDL_FUSED_RMS_NORM
bool has_fused_kernel(const at::Tensor& x, const at::Tensor& weight) {
  return !x.is_cpu() && x.scalar_type() == weight.scalar_type();
}
#endif

struct Normalized {
  at::Tensor y;        ///< x / sqrt(mean(x²) + eps), in the type of x
  at::Tensor inverse;  ///< of the root, float32, one for each row
};

Normalized normalize(const at::Tensor& x, [[maybe_unused]] const at::Tensor& weight, double eps) {
#ifdef MDL_FUSED_RMS_NORM
  if (has_fused_kernel(x, weight)) {
    auto [y, inverse] = at::_fused_rms_norm(x, weight.sizes(), /*weight=*/std::nullopt, eps);
    return {std::move(y), std::move(inverse)};
  }
#endif
  const at::Tensor wide = x.to(at::kFloat);
  at::Tensor inverse = at::rsqrt(wide.square().mean(-1, /*keepdim=*/true).add_(eps));
  return {(wide * inverse).to(x.scalar_type()), std::move(inverse)};
}

/// With r the inverse root and g the gradient times the weight: r · g - x · r³ · mean(g · x).
at::Tensor gradient_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse,
                       const at::Tensor& of_y) {
#ifdef MDL_FUSED_RMS_NORM
  if (has_fused_kernel(x, weight)) {
    return std::get<0>(at::_fused_rms_norm_backward(of_y, x, weight.sizes(), inverse, weight, {true, false}));
  }
#endif
  if (takes_cpu_kernels(x, weight)) { return cpu_rms_norm_gradient(of_y, x, weight, inverse); }
  const at::Tensor wide = x.to(at::kFloat);
  at::Tensor grad = (of_y * weight).to(at::kFloat);
  at::Tensor mean = (grad * wide).mean(-1, /*keepdim=*/true);
  grad.mul_(inverse).addcmul_(wide, mean.mul_(inverse.pow(3)), -1);
  return grad.to(x.scalar_type());
}

/// One node instead of the seven that autograd would make; the weight is frozen.
struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, double eps) {
    if (takes_cpu_kernels(x, weight)) {
      auto [y, inverse] = cpu_rms_norm(x, weight, eps);
      context->save_for_backward({x, weight, inverse});
      return y;
    }
    auto [y, inverse] = normalize(x, weight, eps);
    context->save_for_backward({x, weight, inverse});
    return y.mul_(weight);  // y is rounded before the weight, as transformers does
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    return {gradient_of(saved[0], saved[1], saved[2], grads[0]), at::Tensor(), at::Tensor()};
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
