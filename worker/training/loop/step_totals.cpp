#include "worker/training/loop/step_totals.hpp"

#include <torch/torch.h>

namespace mdl::worker::training::loop {

StepTotals::StepTotals(at::Device device) : totals_(torch::zeros({3}, torch::dtype(at::kDouble).device(device))) {}

void StepTotals::add_loss(const at::Tensor& sum) {
  totals_[0] += sum.detach();
}

void StepTotals::ask_to_stop() {
  totals_[1] += 1;
}

void StepTotals::sum(distributed::ProcessGroup& group) {
  at::Tensor of_all_ranks = totals_.narrow(0, 0, 2);
  group.sum(of_all_ranks);
}

void StepTotals::set_norm(const at::Tensor& norm) {
  if (norm.defined()) { totals_[2].copy_(norm); }
}

StepTotals::Values StepTotals::fetch(distributed::ProcessGroup& group) const {
  const at::Tensor host = group.fetch(totals_);
  const auto values = host.accessor<double, 1>();
  return {.loss = values[0], .stop = values[1] > 0, .norm = values[2]};
}

}  // namespace mdl::worker::training::loop
