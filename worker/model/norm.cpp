#include "worker/model/norm.hpp"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>

namespace mdl {

RmsNorm::RmsNorm(int64_t dim, double eps, at::ScalarType dtype) : eps_(eps) {
  declare_parameter(weight_, "weight", {dim}, dtype);
}

at::Tensor RmsNorm::forward(const at::Tensor& x) const {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + eps_);
  return weight_ * scaled.to(x.scalar_type());
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
  if (batch_statistics) batches_.add_(1);
  return at::batch_norm(x, weight_, bias_, running_mean_, running_var_, batch_statistics, /*momentum=*/0.01,
                        /*eps=*/1e-5, /*cudnn_enabled=*/true);
}

}  // namespace mdl
