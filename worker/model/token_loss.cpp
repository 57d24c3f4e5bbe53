#include "worker/model/token_loss.hpp"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace mdl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Sums the loss over stretches of rows. Where `grad_hidden` is defined, its rows are filled with the gradient of the
/// sum.
at::Tensor summed_loss(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                       int64_t logit_bytes, const at::Tensor& grad_hidden) {
  const int64_t rows = hidden.size(0);
  const int64_t stretch = std::max<int64_t>(1, logit_bytes / (int64_t{sizeof(float)} * weight.size(0)));
  at::Tensor sum = at::zeros({}, hidden.options().dtype(at::kFloat));
  for (int64_t first = 0; first < rows; first += stretch) {
    const int64_t count = std::min(stretch, rows - first);
    const at::Tensor target = targets.narrow(0, first, count).unsqueeze(1);
    const at::Tensor logits = at::linear(hidden.narrow(0, first, count), weight);
    at::Tensor log_probability = at::log_softmax(logits, 1, at::kFloat);
    sum.sub_(log_probability.gather(1, target).sum());
    if (!grad_hidden.defined()) continue;
    // d loss / d logits = softmax - one_hot(target), rounded to the model's type as the cast from it does backwards.
    at::Tensor grad_logits = log_probability.exp_();
    grad_logits.scatter_add_(1, target, -at::ones_like(target, grad_logits.options()));
    grad_hidden.narrow(0, first, count).copy_(at::matmul(grad_logits.to(weight.scalar_type()), weight));
  }
  return sum;
}

struct TokenLoss : torch::autograd::Function<TokenLoss> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& targets, int64_t logit_bytes) {
    const at::Tensor grad_hidden = at::empty_like(hidden);
    const at::Tensor sum = summed_loss(hidden, weight, targets, logit_bytes, grad_hidden);
    context->save_for_backward({grad_hidden});
    return sum;
  }

  static tensor_list backward(AutogradContext* context, tensor_list grads) {
    const at::Tensor grad_hidden = context->get_saved_variables()[0];
    // In float32: rounding the factor (one over the label tokens) to bfloat16 would cost every gradient three digits.
    return {(grad_hidden.to(at::kFloat) * grads[0]).to(grad_hidden.scalar_type()), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor token_loss_sum(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                          int64_t logit_bytes) {
  if (hidden.requires_grad() && at::GradMode::is_enabled())
    return TokenLoss::apply(hidden, weight, targets, logit_bytes);
  return summed_loss(hidden, weight, targets, logit_bytes, {});
}

}  // namespace mdl
