#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "common/str_cat.hpp"
#include "tests/device/counting_device.hpp"
#include "tests/device/device_memory.hpp"
#include "tests/device/traffic.hpp"
#include "worker/layers/linear.hpp"
#include "worker/layers/split_product.hpp"

using namespace mdl;
using namespace mdl::test::device;
using namespace mdl::worker::layers;

namespace {

/// A layer with its adapter, an input and the gradient of its output.
struct Case {
  at::Tensor weight, a, b, x, grad;
  double scaling = 2.0;
};

Case case_of(int64_t rows, int64_t in, int64_t out, int64_t rank, uint64_t seed) {
  torch::manual_seed(seed);
  const double of_in = 1 / std::sqrt(static_cast<double>(in));
  return {(torch::randn({out, in}) * of_in).to(at::kBFloat16), (torch::rand({rank, in}) * 2 - 1) * of_in,
          torch::randn({out, rank}) * 0.02, torch::randn({rows, in}).to(at::kBFloat16),
          torch::randn({rows, out}).to(at::kBFloat16)};
}

/// y, dX, dA and dB.
using Results = std::vector<at::Tensor>;

Results exact(const Case& c) {
  const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
  const at::Tensor low = wide(c.x).mm(wide(c.a).t()), grad_low = wide(c.grad).mm(wide(c.b)) * c.scaling;
  return {wide(c.x).mm(wide(c.weight).t()) + low.mm(wide(c.b).t()) * c.scaling,
          wide(c.grad).mm(wide(c.weight)) + grad_low.mm(wide(c.a)), grad_low.t().mm(wide(c.x)),
          wide(c.grad).t().mm(low) * c.scaling};
}

Results of_layer(const Case& c, at::Device device) {
  Linear layer(c.weight.size(1), c.weight.size(0), false, at::kBFloat16);
  layer.set_tensor("weight", c.weight.to(device));
  const auto leaf = [&](const at::Tensor& x) { return x.to(device).detach().requires_grad_(); };
  const at::Tensor x = leaf(c.x);
  layer.adapter = LoraAdapter{leaf(c.a), leaf(c.b), c.scaling};
  const at::Tensor y = layer.forward(x);
  Results results = torch::autograd::grad({y}, {x, layer.adapter->a, layer.adapter->b}, {c.grad.to(device)});
  results.insert(results.begin(), y.detach());
  for (at::Tensor& each : results) { each = each.cpu(); }
  return results;
}

struct Errors {
  double greatest, mean;
};

Errors errors(const at::Tensor& found, const at::Tensor& expected) {
  const at::Tensor difference = (found.to(at::kDouble) - expected).abs();
  return {difference.max().item<double>(), difference.mean().item<double>()};
}

}  // namespace

TEST_CASE("an adapter's products from parts in bfloat16 are rounded no worse than those in float32") {
  // What is rounded to bfloat16 is rounded the same but for a number that lies in the middle of two.
  constexpr double kGreatest = 1.05, kMean = 1.005;
  for (const auto& [rows, in, out, rank] : std::vector<std::array<int64_t, 4>>{
           {300, 32, 16384, 8}, {300, 16384, 48, 16}, {1100, 4096, 64, 32}, {1100, 64, 4096, 5}}) {
    for (const uint64_t seed : {1, 2}) {
      const Case each = case_of(rows, in, out, rank, seed);
      REQUIRE(takes_split_products(each.x.to(kCountingDevice), in, out));
      const Results expected = exact(each), before = of_layer(each, at::kCPU), now = of_layer(each, kCountingDevice);
      for (size_t i = 0; i < expected.size(); ++i) {
        INFO(str_cat("result ", i, " of ", rows, " x ", in, " x ", out));
        const Errors old_errors = errors(before[i], expected[i]), new_errors = errors(now[i], expected[i]);
        CHECK(new_errors.greatest <= kGreatest * old_errors.greatest);
        CHECK(new_errors.mean <= kMean * old_errors.mean);
      }
    }
  }
}

TEST_CASE("an adapter's products from parts make no float32 copy of what is large") {
  const Case large = case_of(300, 16384, 48, 8, 1);
  Linear layer(16384, 48, false, at::kBFloat16);
  layer.set_tensor("weight", large.weight.to(kCountingDevice));
  layer.adapter = LoraAdapter{large.a.to(kCountingDevice).requires_grad_(),
                              large.b.to(kCountingDevice).requires_grad_(), large.scaling};
  const at::Tensor x = large.x.to(kCountingDevice).requires_grad_(), grad = large.grad.to(kCountingDevice);
  const int64_t before = bytes_now(), in_float = large.x.numel() * 4;
  reset_peak();
  const at::Tensor y = layer.forward(x);
  CHECK(bytes_at_peak() - before < in_float / 4);
  reset_peak();
  const auto gradients = torch::autograd::grad({y}, {x, layer.adapter->a, layer.adapter->b}, {grad});
  CHECK(bytes_at_peak() - before < in_float);  // the input's gradient is half of it
}

TEST_CASE("products from parts are for what is large and on a device") {
  const at::Tensor small = torch::zeros({8, 64}, at::kBFloat16), large = torch::zeros({256, 64}, at::kBFloat16);
  CHECK(!takes_split_products(small.to(kCountingDevice), 64, 16384));
  CHECK(takes_split_products(large.to(kCountingDevice), 64, 16384));
  CHECK(takes_split_products(large.to(kCountingDevice), 16384, 64));
  CHECK(!takes_split_products(large, 64, 16384));
  CHECK(!takes_split_products(large.to(kCountingDevice, at::kFloat), 64, 16384));
}
