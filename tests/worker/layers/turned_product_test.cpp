#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "worker/layers/linear.hpp"

using mdl::worker::layers::Linear;

namespace {

Linear& filled(Linear& layer, bool bias) {
  torch::manual_seed(2);
  layer.set_tensor("weight", torch::randn({40, 24}));
  if (bias) { layer.set_tensor("bias", torch::randn({40})); }
  layer.eval();
  return layer;
}

/// Whether the columns lie one behind the other.
bool is_turned(const at::Tensor& y) {
  return y.stride(0) == 1 && y.stride(1) == y.size(0);
}

}  // namespace

TEST_CASE("few rows are multiplied as columns without gradients, to the same numbers, with bias and adapter") {
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  for (const bool bias : {false, true}) {
    for (const bool adapted : {false, true}) {
      Linear layer(24, 40, bias, at::kFloat);
      filled(layer, bias);
      if (adapted) {
        layer.adapter = mdl::worker::layers::LoraAdapter{torch::randn({4, 24}), torch::randn({40, 4}), 0.5, 0.1};
      }
      for (const int64_t rows : {1, 11, 12, 33, 48, 49}) {
        INFO(rows << " rows");
        const at::Tensor x = torch::randn({rows, 24});
        const at::Tensor expected = layer.forward(x).detach();
        CHECK(!is_turned(expected));
        const at::NoGradGuard no_grad;
        const at::Tensor found = layer.forward(x);
        CHECK(torch::allclose(found, expected, 1e-5, 1e-5));
        CHECK(is_turned(found) == (rows >= 12 && rows <= 48));
        // What follows reads it as it lies.
        CHECK(torch::allclose(found.unflatten(1, {2, 20}).sum(2), expected.unflatten(1, {2, 20}).sum(2), 1e-4, 1e-4));
      }
    }
  }
  at::set_num_threads(threads);
}

TEST_CASE("rows are no columns in training, which computes the same twice, nor for one thread or in bfloat16") {
  const int threads = at::get_num_threads();
  Linear layer(24, 40, true, at::kFloat);
  filled(layer, true);
  const at::Tensor x = torch::randn({16, 24});
  const at::NoGradGuard no_grad;
  at::set_num_threads(2);
  CHECK(is_turned(layer.forward(x)));
  layer.train();
  CHECK(!is_turned(layer.forward(x)));
  layer.eval();
  at::set_num_threads(1);
  CHECK(!is_turned(layer.forward(x)));
  at::set_num_threads(2);
  layer.set_tensor("weight", layer.weight.to(at::kBFloat16));
  layer.set_tensor("bias", layer.bias.to(at::kBFloat16));
  CHECK(!is_turned(layer.forward(x.to(at::kBFloat16))));
  at::set_num_threads(threads);
}
