#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include "worker/layers/token_loss.hpp"

TEST_CASE("the loss in stretches equals the whole cross-entropy, in value and gradient") {
  const int64_t vocab = 300, rows = 5, dim = 8;
  const int64_t two_rows = 2 * vocab * 4;  // bytes: three stretches, the last of one row
  at::Tensor hidden = at::randn({rows, dim}).requires_grad_(true);
  at::Tensor weight = at::randn({vocab, dim}).requires_grad_(GENERATE(false, true));
  const at::Tensor targets = at::randint(vocab, {rows}, at::kLong);

  const at::Tensor ours = mdl::worker::layers::token_loss_sum(hidden, weight, targets, two_rows);
  (ours * 0.25).backward();
  const at::Tensor our_gradient = hidden.grad().clone();
  const at::Tensor our_weight_gradient = weight.requires_grad() ? weight.grad().clone() : at::Tensor();
  hidden.mutable_grad().reset();
  weight.mutable_grad().reset();

  const at::Tensor theirs = at::cross_entropy_loss(at::linear(hidden, weight), targets, {}, at::Reduction::Sum);
  (theirs * 0.25).backward();
  CHECK(at::allclose(ours, theirs, 1e-5, 1e-6));
  CHECK(at::allclose(our_gradient, hidden.grad(), 1e-4, 1e-6));
  if (weight.requires_grad()) { CHECK(at::allclose(our_weight_gradient, weight.grad(), 1e-4, 1e-6)); }
}

TEST_CASE("no label gives no loss, and without gradients only the value is computed") {
  const at::Tensor weight = at::randn({7, 3});
  const at::Tensor none = mdl::worker::layers::token_loss_sum(at::zeros({0, 3}), weight, at::zeros({0}, at::kLong));
  CHECK(none.item<float>() == 0);
  const at::Tensor hidden = at::randn({4, 3}).requires_grad_(true);
  const at::NoGradGuard no_grad;
  CHECK_FALSE(mdl::worker::layers::token_loss_sum(hidden, weight, at::zeros({4}, at::kLong)).requires_grad());
}
