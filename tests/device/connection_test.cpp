#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "common/error.hpp"
#include "common/host.hpp"
#include "tests/device/counting_device.hpp"
#include "tests/device/tiny_training.hpp"
#include "tests/worker/distributed/two_ranks.hpp"
#include "worker/device/rank_devices.hpp"
#include "worker/distributed/rank_meeting.hpp"
#include "worker/training/precision.hpp"

using namespace mdl;
using namespace mdl::test::device;
using namespace mdl::worker;
using namespace mdl::worker::distributed;
using Catch::Contains;

namespace {

/// What NCCL is asked to do, by a rank whose sums are its own; refuses tensors of the CPU, as NCCL does.
struct RecordingBackend : c10d::Backend {
  RecordingBackend(int rank, int size) : Backend(rank, size) {}

  const std::string getBackendName() const override { return "recording"; }
  void eagerConnectSingleDevice(at::Device device) override {
    calls.push_back("connect");
    bound = getBoundDeviceId() == std::optional(device);
    if (!trouble.empty()) { throw std::runtime_error(trouble); }
  }
  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors, const c10d::AllreduceOptions&) override {
    return done("sum", tensors);
  }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors, const c10d::BroadcastOptions&) override {
    return done("broadcast", tensors);
  }
  c10::intrusive_ptr<c10d::Work> allgather(std::vector<std::vector<at::Tensor>>& to, std::vector<at::Tensor>& from,
                                           const c10d::AllgatherOptions&) override {
    to.at(0).at(0).copy_(from.at(0));
    return done("gather", from);
  }
  void shutdown() override { calls.push_back("shutdown"); }

  c10::intrusive_ptr<c10d::Work> done(const char* what, const std::vector<at::Tensor>& tensors) {
    for (const at::Tensor& tensor : tensors) {
      TORCH_CHECK(tensor.device() == kCountingDevice, what, " of a tensor on ", tensor.device());
    }
    calls.push_back(what);
    auto future = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()),
                                                           std::vector<c10::Device>{kCountingDevice});
    future->markCompleted(c10::IValue(tensors));
    return c10d::Work::create_from_future(future);
  }

  std::vector<std::string> calls;
  bool bound = false;   ///< to the GPU that is connected, before that
  std::string trouble;  ///< what connecting ends with
};

process::WorkerEnvironment environment_of(int rank, int world_size) {
  process::WorkerEnvironment environment;
  environment.rank = rank;
  environment.world_size = environment.local_world_size = world_size;
  environment.master_addr = "127.0.0.1";
  return environment;
}

struct Joined {
  c10::intrusive_ptr<RecordingBackend> backend;
  ProcessGroup group;
};

Joined joined(const c10::intrusive_ptr<c10d::Store>& store, int rank = 0, int world_size = 1) {
  auto backend = c10::make_intrusive<RecordingBackend>(rank, world_size);
  return {backend,
          ProcessGroup(environment_of(rank, world_size), kCountingDevice, std::chrono::seconds(30), store, backend)};
}

}  // namespace

TEST_CASE("the store waits for other ranks as long as --ddp-timeout says") {
  process::WorkerEnvironment environment = environment_of(0, 1);
  environment.master_port = free_port();
  CHECK(join_store(environment, std::chrono::seconds(7))->getTimeout() == std::chrono::seconds(7));
  environment.master_port = free_port();
  CHECK(join_store(environment, std::chrono::minutes(30))->getTimeout() == std::chrono::minutes(30));
}

TEST_CASE("GPUs connect when they are told to, bound to their device before, and wait for each other") {
  Joined rank = joined(c10::make_intrusive<c10d::HashStore>());
  CHECK(rank.backend->calls.empty());
  rank.group.connect();
  CHECK(rank.backend->bound);
  CHECK(rank.backend->calls == std::vector<std::string>{"connect", "sum"});
}

TEST_CASE(
    "a GPU that cannot connect is an error with rank, host, its address toward MASTER_ADDR, and what to look at") {
  Joined rank = joined(c10::make_intrusive<c10d::HashStore>());
  rank.backend->trouble = "unhandled system error";
  try {
    rank.group.connect();
    FAIL("connected");
  } catch (const Error& error) {
    CHECK(error.problem() == "rank 0 on " + host_name() +
                                 ", which reaches MASTER_ADDR 127.0.0.1 from 127.0.0.1, cannot connect its GPU with "
                                 "the other ranks': unhandled system error");
    CHECK_THAT(error.advice(), Contains("NCCL_DEBUG=INFO") && Contains("NCCL_SOCKET_IFNAME"));
  }
}

TEST_CASE("ranks leave after rank 0, shut their connections down, and rank 0 goes last") {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::atomic<bool> written = false;
  bool written_before = false, other_is_alone = false;  // looked at when its thread has ended
  std::vector<std::string> calls_of_other;
  std::thread other([&] {
    Joined rank = joined(store, 1, 2);
    rank.group.leave();
    written_before = written;
    calls_of_other = rank.backend->calls;
    other_is_alone = rank.group.is_alone();
  });
  Joined rank = joined(store, 0, 2);
  written = true;
  rank.group.leave();
  CHECK(store->check({"mdl/left/1"}));
  CHECK(rank.backend->calls == std::vector<std::string>{"shutdown"});
  other.join();
  CHECK(written_before);
  CHECK(calls_of_other == std::vector<std::string>{"shutdown"});
  CHECK(other_is_alone);
}

TEST_CASE("training in a group hands its backend tensors of the device only") {
  const TinyInputs inputs(Clips::mixed);
  const TinyRun run{.options = {"--gradient-accumulation-steps", "2", "--eval-dataset", inputs.evaluation_data(),
                                "--eval-steps", "1"}};
  Joined rank = joined(c10::make_intrusive<c10d::HashStore>());
  const TinyResult found = train(inputs, run, kCountingDevice, &rank.group);
  const TinyResult expected = train(inputs, run, at::kCPU);
  REQUIRE(found.losses.size() == expected.losses.size());
  for (size_t i = 0; i < found.losses.size(); ++i) { CHECK(found.losses[i] == Approx(expected.losses[i])); }
  CHECK(found.evaluation_losses[1] == Approx(expected.evaluation_losses[1]));
  CHECK(rank.backend->calls.size() > 10);
}

TEST_CASE("a worker that sees one GPU takes it, whatever its local rank; of several it takes its own") {
  CHECK(gpu_of(0, 1) == 0);
  CHECK(gpu_of(3, 1) == 0);
  CHECK(gpu_of(3, 4) == 3);
  CHECK_THROWS_WITH(gpu_of(4, 4), Contains("local rank 4 has no GPU: this host shows 4 to the job"));
}

TEST_CASE("two ranks with one GPU are told so") {
  const auto rank = [](int number, const std::string& host, const std::string& gpu) {
    device::RankDevice device{number, host, {}};
    device.choice.kind = device::Kind::cuda;
    device.choice.gpu = gpu;
    return device::from_text(device::to_text(device));
  };
  CHECK(!device::find_disagreement({rank(0, "a", "GPU-1"), rank(1, "a", "GPU-2"), rank(2, "a", ""), rank(3, "a", "")}));
  const auto found = device::find_disagreement({rank(0, "a", "GPU-1"), rank(1, "b", "GPU-2"), rank(2, "a", "GPU-1")});
  REQUIRE(found);
  CHECK(found->problem == "ranks 0, 2 on a have the same GPU, GPU-1");
  CHECK_THAT(found->advice, Contains("--nproc-per-node gpu"));
}

TEST_CASE("bfloat16 on a GPU that does not compute in it is an error") {
  CHECK_THROWS_WITH(training::require_dtype(at::kBFloat16, "Tesla T4 of compute capability 7.5"),
                    Contains("bfloat16 on a Tesla T4 of compute capability 7.5") && Contains("--bf16 false"));
  training::require_dtype(at::kFloat, "Tesla T4 of compute capability 7.5");
  training::require_dtype(at::kBFloat16, "");
  CHECK(describe_gpu_without_bf16(at::kCPU).empty());
}
