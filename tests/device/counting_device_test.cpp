#include "tests/device/counting_device.hpp"

#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/device/device_memory.hpp"
#include "tests/device/traffic.hpp"

using namespace mdl::test::device;
using Catch::Contains;

namespace {

const auto on_device = torch::TensorOptions().device(kCountingDevice);

Traffic traffic_of(const std::function<void()>& work) {
  const Traffic before = traffic();
  work();
  return traffic() - before;
}

}  // namespace

namespace mdl {
/// Its name is looked for in a stack.
[[gnu::noinline]] double a_careless_read(const at::Tensor& tensor) {
  return tensor.sum().item<double>() + 1;
}
}  // namespace mdl

TEST_CASE("tensors of the device and of the CPU do not mix, but for a single number") {
  const at::Tensor a = torch::ones({2, 3}, on_device);
  CHECK_THROWS_WITH(a + torch::ones({2, 3}), Contains("Expected all tensors to be on the same device"));
  CHECK_THROWS_WITH(torch::cat({a, torch::ones({2, 3})}), Contains("mixed devices"));
  CHECK_THROWS_WITH(a.index({torch::tensor({1})}), Contains("mixed devices"));
  CHECK(torch::equal((a + torch::tensor(2.0f) * 3).cpu(), torch::full({2, 3}, 7.0)));
}

TEST_CASE("a host's wait for the device is counted, with the functions that led to it") {
  const at::Tensor a = torch::ones({4}, on_device);
  forget_stacks();
  CHECK(traffic_of([&] { a.mul(2).add_(1); }).host_reads == 0);
  CHECK(traffic_of([&] { mdl::a_careless_read(a); }).host_reads == 1);
  CHECK_THAT(describe_waits(Wait::host_read), Contains("1 x item\n      mdl::a_careless_read"));
  CHECK(traffic_of([&] { a.cpu(); }).host_reads == 1);
  CHECK(traffic_of([&] { a.nonzero(); }).host_reads == 1);
  CHECK(traffic_of([&] { a.index({a > 2}); }).host_reads == 1);
  CHECK(traffic_of([&] { a.index_put_({a > 2}, a.sum()); }).host_reads == 1);
  CHECK(traffic_of([&] { torch::equal(a, a); }).host_reads == 1);
}

TEST_CASE("copies to the device block unless they are asked not to and the memory is pinned") {
  const at::Tensor host = torch::ones({4});
  const at::Tensor pinned = host.pin_memory();
  CHECK(pinned.is_pinned());
  CHECK(traffic_of([&] { host.to(kCountingDevice); }).blocking_copies == 1);
  CHECK(traffic_of([&] { host.to(kCountingDevice, /*non_blocking=*/true); }).blocking_copies == 1);
  CHECK(traffic_of([&] { pinned.to(kCountingDevice); }).blocking_copies == 1);
  const Traffic free = traffic_of([&] { pinned.to(kCountingDevice, /*non_blocking=*/true); });
  CHECK(free.blocking_copies == 0);
  CHECK(free.other_copies == 1);
}

TEST_CASE("memory is counted in blocks of 512 bytes, now and at the peak, and new memory holds no numbers") {
  const int64_t before = bytes_now();
  reset_peak();
  {
    const at::Tensor a = torch::empty({1000}, on_device);  // 4,000 bytes: 8 blocks
    CHECK(bytes_now() == before + 4096);
    CHECK(a.isnan().all().item<bool>());
  }
  CHECK(bytes_now() == before);
  CHECK(bytes_at_peak() >= before + 4096);
  CHECK(bytes_at_peak() < before + 8192);
}

TEST_CASE("operators give the CPU's results, written in place, into lists and into new tensors") {
  torch::manual_seed(1);
  const at::Tensor host = torch::randn({3, 4});
  const at::Tensor device = host.to(kCountingDevice);
  CHECK(torch::equal(device.softmax(1).cpu(), host.softmax(1)));
  CHECK(torch::equal(device.t().contiguous().cpu(), host.t()));
  at::Tensor out = torch::empty({0}, on_device);
  torch::mm_out(out, device, device.t());
  CHECK(torch::equal(out.cpu(), torch::mm(host, host.t())));
  device.select(0, 1).fill_(5);
  CHECK(device.cpu()[1][2].item<float>() == 5);
  std::vector<at::Tensor> list = {torch::ones({2}, on_device), torch::ones({3}, on_device)};
  at::_foreach_mul_(list, torch::full({}, 2.0, on_device));
  CHECK(torch::equal(list[1].cpu(), torch::full({3}, 2.0)));
}

TEST_CASE("attention is one kernel each way, whose results are the CPU's, for grouped heads and masks too") {
  torch::manual_seed(2);
  const int64_t kv_heads = GENERATE(4, 2);
  const bool masked = GENERATE(false, true);
  const auto leaf = [](const at::Tensor& x, at::Device device) { return x.to(device).detach().requires_grad_(); };
  const at::Tensor q = torch::randn({2, 4, 5, 8}), k = torch::randn({2, kv_heads, 5, 8}),
                   v = torch::randn({2, kv_heads, 5, 8});
  const at::Tensor mask = torch::ones({5, 5}, torch::kBool).tril();
  const auto attend = [&](at::Device device) {
    std::vector<at::Tensor> inputs = {leaf(q, device), leaf(k, device), leaf(v, device)};
    const auto hidden = masked ? std::optional<at::Tensor>(mask.to(device)) : std::nullopt;
    const at::Tensor y = at::scaled_dot_product_attention(inputs[0], inputs[1], inputs[2], hidden, 0.0, !masked,
                                                          std::nullopt, kv_heads != 4);
    std::vector<at::Tensor> results = torch::autograd::grad({y.square().sum()}, inputs);
    results.push_back(y.detach());
    return results;
  };
  const auto expected = attend(at::kCPU);
  const auto found = attend(kCountingDevice);
  for (size_t i = 0; i < expected.size(); ++i) { CHECK(torch::allclose(found[i].cpu(), expected[i], 1e-4, 1e-5)); }
  const at::NoGradGuard no_grad;
  const at::Tensor on = q.to(kCountingDevice);
  CHECK(traffic_of([&] { at::scaled_dot_product_attention(on, on, on); }).kernels == 1);
}
