#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "tests/device/traffic.hpp"
#include "worker/layers/norm.hpp"

using namespace mdl::test::device;
using namespace mdl::worker::layers;

TEST_CASE("a norm on a device gives the CPU's results and gradients, with one kernel each way and the weight's") {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    torch::manual_seed(6);
    const at::Tensor x = torch::randn({5, 3, 32}).to(dtype), weight = torch::randn({32}).to(dtype);
    const at::Tensor wanted = torch::randn({5, 3, 32}).to(dtype);
    Traffic forward, backward;
    const auto results = [&](at::Device device) {
      RmsNorm norm(32, 1e-6, dtype);
      norm.set_tensor("weight", weight.to(device));
      const at::Tensor leaf = x.to(device).requires_grad_(), grad = wanted.to(device);
      const Traffic before = traffic();
      const at::Tensor y = norm.forward(leaf);
      forward = traffic() - before;
      const at::Tensor of_x = torch::autograd::grad({y}, {leaf}, {grad})[0];
      backward = traffic() - before - forward;
      return std::pair(y.detach().cpu(), of_x.cpu());
    };
    const auto expected = results(at::kCPU), found = results(kCountingDevice);
    // The CPU's own kernel adds up in another order, by the width of its vectors.
    const double rounding = dtype == at::kFloat ? 1e-6 : 0;
    CHECK(torch::allclose(found.first, expected.first, rounding, rounding));
    // The gradient is not rounded on its way, as it is on the CPU.
    const double tolerance = dtype == at::kFloat ? 1e-5 : 2e-2;
    CHECK(torch::allclose(found.second, expected.second, tolerance, tolerance));
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
    CHECK(forward.kernels == 2);
    CHECK(backward.kernels == 1);
#endif
  }
}
