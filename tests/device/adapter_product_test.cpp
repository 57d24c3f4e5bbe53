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
  double dropout = 0;
  at::Tensor mask{};  ///< of the inputs that dropout leaves, drawn behind seed
  uint64_t seed = 0;
};

/// The same with dropout. A device draws from the CPU's random numbers.
Case with_dropout(Case c, double dropout) {
  c.dropout = dropout;
  torch::manual_seed(c.seed);
  c.mask = torch::empty(c.x.sizes(), at::kBool).bernoulli_(1 - dropout);
  return c;
}

Case case_of(int64_t rows, int64_t in, int64_t out, int64_t rank, uint64_t seed) {
  torch::manual_seed(seed);
  const double of_in = 1 / std::sqrt(static_cast<double>(in));
  return {(torch::randn({out, in}) * of_in).to(at::kBFloat16),
          (torch::rand({rank, in}) * 2 - 1) * of_in,
          torch::randn({out, rank}) * 0.02,
          torch::randn({rows, in}).to(at::kBFloat16),
          torch::randn({rows, out}).to(at::kBFloat16),
          2.0,
          0,
          {},
          seed};
}

/// y, dX, dA and dB.
using Results = std::vector<at::Tensor>;

Results exact(const Case& c) {
  const auto wide = [](const at::Tensor& x) { return x.to(at::kDouble); };
  const at::Tensor factor = c.mask.defined() ? wide(c.mask) / (1 - c.dropout) : torch::ones_like(wide(c.x));
  const at::Tensor seen = wide(c.x) * factor;
  const at::Tensor low = seen.mm(wide(c.a).t()), grad_low = wide(c.grad).mm(wide(c.b)) * c.scaling;
  return {wide(c.x).mm(wide(c.weight).t()) + low.mm(wide(c.b).t()) * c.scaling,
          wide(c.grad).mm(wide(c.weight)) + grad_low.mm(wide(c.a)) * factor, grad_low.t().mm(seen),
          wide(c.grad).t().mm(low) * c.scaling};
}

/// As the CPU has it with dropout, but with the mask of the case.
Results in_float32(const Case& c) {
  const auto leaf = [](const at::Tensor& x) { return x.clone().requires_grad_(); };
  const at::Tensor x = leaf(c.x), a = leaf(c.a), b = leaf(c.b);
  const at::Tensor dropped = x.to(at::kFloat) * (c.mask.to(at::kFloat) / (1 - c.dropout));
  const at::Tensor y = at::linear(x, c.weight);
  const at::Tensor sum = (y + at::linear(at::linear(dropped, a), b) * c.scaling).to(at::kBFloat16);
  Results results = torch::autograd::grad({sum}, {x, a, b}, {c.grad});
  results.insert(results.begin(), sum.detach());
  return results;
}

Results of_layer(const Case& c, at::Device device) {
  Linear layer(c.weight.size(1), c.weight.size(0), false, at::kBFloat16);
  layer.set_tensor("weight", c.weight.to(device));
  const auto leaf = [&](const at::Tensor& x) { return x.to(device).detach().requires_grad_(); };
  const at::Tensor x = leaf(c.x);
  layer.adapter = LoraAdapter{leaf(c.a), leaf(c.b), c.scaling, c.dropout};
  torch::manual_seed(c.seed);
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
      const Case plain = case_of(rows, in, out, rank, seed);
      REQUIRE(takes_split_products(plain.x.to(kCountingDevice), in, out));
      for (const Case& each : {plain, with_dropout(plain, 0.3)}) {
        const Results expected = exact(each), now = of_layer(each, kCountingDevice);
        const Results before = each.dropout > 0 ? in_float32(each) : of_layer(each, at::kCPU);
        for (size_t i = 0; i < expected.size(); ++i) {
          INFO(str_cat("result ", i, " of ", rows, " x ", in, " x ", out, ", dropout ", each.dropout));
          const Errors old_errors = errors(before[i], expected[i]), new_errors = errors(now[i], expected[i]);
          CHECK(new_errors.greatest <= kGreatest * old_errors.greatest);
          CHECK(new_errors.mean <= kMean * old_errors.mean);
        }
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
