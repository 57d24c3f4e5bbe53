#include "worker/layers/token_loss.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// The gradients of the summed loss that are wanted; the others are undefined.
struct LossGradients {
  at::Tensor hidden;  ///< [n, dim], filled
  at::Tensor weight;  ///< [vocab, dim], added to
};

/// Sums the loss over stretches of rows and computes the gradients on the way.
at::Tensor summed_loss(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                       int64_t logit_bytes, const LossGradients& gradients) {
  const int64_t rows = hidden.size(0);
  const int64_t stretch = std::max<int64_t>(1, logit_bytes / (int64_t{sizeof(float)} * weight.size(0)));
  at::Tensor sum = at::zeros({}, hidden.options().dtype(at::kFloat));
  for (int64_t first = 0; first < rows; first += stretch) {
    const int64_t count = std::min(stretch, rows - first);
    const at::Tensor target = targets.narrow(0, first, count).unsqueeze(1);
    const at::Tensor rows_of_hidden = hidden.narrow(0, first, count);
    const at::Tensor logits = at::linear(rows_of_hidden, weight);
    at::Tensor log_probability = at::log_softmax(logits, 1, at::kFloat);
    sum.sub_(log_probability.gather(1, target).sum());
    if (!gradients.hidden.defined() && !gradients.weight.defined()) { continue; }
    // d loss / d logits = softmax - one_hot(target), rounded to the model's type as the cast from it does backwards.
    at::Tensor grad_logits = log_probability.exp_();
    grad_logits.scatter_add_(1, target, -at::ones_like(target, grad_logits.options()));
    grad_logits = grad_logits.to(weight.scalar_type());
    if (gradients.hidden.defined()) { gradients.hidden.narrow(0, first, count).copy_(at::matmul(grad_logits, weight)); }
    if (gradients.weight.defined()) { gradients.weight.addmm_(grad_logits.t(), rows_of_hidden); }
  }
  return sum;
}

/// In float32: rounding the factor (one over the label tokens) to bfloat16 would cost every gradient three digits.
at::Tensor times(const at::Tensor& gradient, const at::Tensor& factor) {
  if (!gradient.defined()) { return gradient; }
  return (gradient.to(at::kFloat) * factor).to(gradient.scalar_type());
}

struct TokenLoss : torch::autograd::Function<TokenLoss> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                            const at::Tensor& targets, int64_t logit_bytes) {
    LossGradients gradients;
    if (hidden.requires_grad()) { gradients.hidden = at::empty_like(hidden); }
    if (weight.requires_grad()) { gradients.weight = at::zeros_like(weight); }
    at::Tensor sum = summed_loss(hidden, weight, targets, logit_bytes, gradients);
    context->save_for_backward({gradients.hidden, gradients.weight});
    return sum;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    return {times(saved[0], grads[0]), times(saved[1], grads[0]), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor token_loss_sum(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                          int64_t logit_bytes) {
  if (at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad())) {
    return TokenLoss::apply(hidden, weight, targets, logit_bytes);
  }
  return summed_loss(hidden, weight, targets, logit_bytes, {});
}

}  // namespace mdl::worker::layers
