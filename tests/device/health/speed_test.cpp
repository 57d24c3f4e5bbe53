#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "worker/health/command/all_reduce_speed.hpp"
#include "worker/health/command/device_speed.hpp"
#include "worker/health/command/rank_groups.hpp"

using namespace mdl::test::device;
using namespace mdl::worker;
using namespace mdl::worker::health;
using namespace std::chrono_literals;

namespace {

/// Sums of a rank that has no other; refuses tensors of the CPU, as NCCL does.
struct LonelyBackend : c10d::Backend {
  LonelyBackend() : Backend(0, 1) {}

  const std::string getBackendName() const override { return "lonely"; }
  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions&) override {
    TORCH_CHECK(tensors.at(0).device() == kCountingDevice, "a tensor on ", tensors.at(0).device());
    sizes.push_back(tensors.at(0).nbytes());
    auto future = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()),
                                                           std::vector<c10::Device>{kCountingDevice});
    future->markCompleted(c10::IValue(tensors));
    return c10d::Work::create_from_future(future);
  }

  std::vector<std::size_t> sizes;
};

std::int64_t number_of(const HealthPart::Numbers& numbers, const char* key) {
  return HealthPart{"", numbers, ""}.number(key);
}

}  // namespace

TEST_CASE("a device's speed is measured in its own memory") {
  const command::DeviceSizes sizes{.rows = 32, .bytes = 1 << 16};
  const auto product = command::measure_matrix_product(kCountingDevice, sizes, 0s);
  CHECK(number_of(product, "flop_per_s") > 0);
  CHECK(number_of(product, "rows") == 32);
  CHECK(number_of(product, "repeats") == 3);
  const auto copy = command::measure_memory_copy(kCountingDevice, sizes, 0s);
  CHECK(number_of(copy, "bytes_per_s") > 0);
  CHECK(number_of(copy, "bytes") == 1 << 16);
  CHECK(command::product_type(kCountingDevice) == at::kHalf);
  CHECK(command::product_type(at::kCPU) == at::kFloat);
}

TEST_CASE("ranks measure all-reduce with tensors of their device, from a few bytes to many") {
  process::WorkerEnvironment environment;
  environment.master_addr = "127.0.0.1";
  auto backend = c10::make_intrusive<LonelyBackend>();
  distributed::ProcessGroup group(environment, kCountingDevice, 30s, c10::make_intrusive<c10d::HashStore>(), backend);
  const auto numbers = command::measure_all_reduce(group, kCountingDevice, 100ms);
  CHECK(number_of(numbers, "ranks") == 1);
  CHECK(number_of(numbers, "latency_ns") > 0);
  CHECK(number_of(numbers, "repeats") >= 3);
  CHECK(std::ranges::find(backend->sizes, 8U) != backend->sizes.end());
  CHECK(std::ranges::max(backend->sizes) == static_cast<std::size_t>(number_of(numbers, "bytes")));
  CHECK(number_of(numbers, "bytes") >= 1 << 20);
}

TEST_CASE("the ranks of a node are numbered by themselves") {
  process::WorkerEnvironment environment;
  environment.rank = 5;
  environment.local_rank = 1;
  environment.world_size = 8;
  environment.local_world_size = 4;
  const auto node = command::node_environment(environment);
  CHECK(node.rank == 1);
  CHECK(node.world_size == 4);
  CHECK_FALSE(node.several_hosts());
}
