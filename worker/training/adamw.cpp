#include "worker/training/adamw.hpp"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <torch/torch.h>

#include <map>

#include "common/str_cat.hpp"

namespace mdl::worker::training {

std::string AdamWSettings::describe() const {
  const AdamWSettings usual;
  std::string text = "AdamW";
  if (beta1 != usual.beta1 || beta2 != usual.beta2) { text += str_cat(", betas ", beta1, " and ", beta2); }
  if (epsilon != usual.epsilon) { text += str_cat(", epsilon ", epsilon); }
  if (weight_decay != usual.weight_decay) { text += str_cat(", weight decay ", weight_decay); }
  return text;
}

AdamW::AdamW(std::vector<at::Tensor> parameters, const AdamWSettings& settings)
    : parameters_(std::move(parameters)), settings_(settings) {
  for (const at::Tensor& parameter : parameters_) {
    state_.steps.push_back(torch::zeros({}, parameter.options().dtype(at::kFloat)));
    state_.first_moments.push_back(torch::zeros_like(parameter));
    state_.second_moments.push_back(torch::zeros_like(parameter));
  }
}

void AdamW::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  // The kernel takes tensors of one type: adapters are float32, modules trained whole have the base's type.
  struct Group {
    std::vector<at::Tensor> parameters, gradients, first, second, steps;
  };
  std::map<at::ScalarType, Group> groups;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].grad().defined()) { continue; }
    Group& group = groups[parameters_[i].scalar_type()];
    group.parameters.push_back(parameters_[i]);
    group.gradients.push_back(parameters_[i].grad());
    group.first.push_back(state_.first_moments[i]);
    group.second.push_back(state_.second_moments[i]);
    group.steps.push_back(state_.steps[i]);
  }
  for (auto& [type, group] : groups) {
    at::_foreach_add_(group.steps, 1);  // the kernel expects the number of this update
    at::_fused_adamw_(group.parameters, group.gradients, group.first, group.second, /*max_exp_avg_sqs=*/{}, group.steps,
                      learning_rate, settings_.beta1, settings_.beta2, settings_.weight_decay, settings_.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

at::Tensor clip_gradients(const std::vector<at::Tensor>& parameters, double max_norm) {
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) { gradients.push_back(parameter.grad()); }
  }
  if (gradients.empty()) { return {}; }
  const torch::NoGradGuard no_grad;
  const at::Tensor norm = torch::stack(at::_foreach_norm(gradients)).norm();
  if (max_norm <= 0) { return norm; }
  // The small number keeps the quotient finite for a zero norm; torch has it too.
  at::_foreach_mul_(gradients, torch::clamp_max(max_norm / (norm + 1e-6), 1.0));
  return norm;
}

}  // namespace mdl::worker::training
