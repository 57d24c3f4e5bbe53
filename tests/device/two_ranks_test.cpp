#include <sys/wait.h>
#include <unistd.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/str_cat.hpp"
#include "tests/device/counting_device.hpp"
#include "tests/device/host_call.hpp"
#include "tests/device/tiny_training.hpp"
#include "tests/temp_dir.hpp"
#include "tests/worker/distributed/two_ranks.hpp"
#include "worker/distributed/rank_meeting.hpp"

using namespace mdl;
using namespace mdl::test::device;
using namespace mdl::worker;
using nlohmann::json;

namespace {

constexpr const char* kTestName = "two ranks on devices that only speak of their own memory train as two on CPUs";

/// Stands where NCCL would: Gloo on the devices' memory. Refuses tensors of the CPU.
struct DeviceGloo : c10d::Backend {
  DeviceGloo(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size) : Backend(rank, size) {
    auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::seconds(60));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
  }

  const std::string getBackendName() const override { return "device-gloo"; }
  c10::intrusive_ptr<c10d::Work> allreduce(std::vector<at::Tensor>& tensors,
                                           const c10d::AllreduceOptions& options) override {
    auto memory = memory_of(tensors);
    gloo->allreduce(memory, options)->wait();
    return done(tensors);
  }
  c10::intrusive_ptr<c10d::Work> broadcast(std::vector<at::Tensor>& tensors,
                                           const c10d::BroadcastOptions& options) override {
    auto memory = memory_of(tensors);
    gloo->broadcast(memory, options)->wait();
    return done(tensors);
  }
  c10::intrusive_ptr<c10d::Work> allgather(std::vector<std::vector<at::Tensor>>& to, std::vector<at::Tensor>& from,
                                           const c10d::AllgatherOptions& options) override {
    std::vector<std::vector<at::Tensor>> outputs;
    for (const auto& each : to) { outputs.push_back(memory_of(each)); }
    auto inputs = memory_of(from);
    gloo->allgather(outputs, inputs, options)->wait();
    return done(from);
  }

  std::vector<at::Tensor> memory_of(const std::vector<at::Tensor>& tensors) {
    ++calls;
    std::vector<at::Tensor> memory;
    for (const at::Tensor& tensor : tensors) {
      TORCH_CHECK(tensor.device() == kCountingDevice, "a collective of a tensor on ", tensor.device());
      memory.push_back(host_view(tensor));
    }
    return memory;
  }
  static c10::intrusive_ptr<c10d::Work> done(const std::vector<at::Tensor>& tensors) {
    auto future = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get()),
                                                           std::vector<c10::Device>{kCountingDevice});
    future->markCompleted(c10::IValue(tensors));
    return c10d::Work::create_from_future(future);
  }

  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
  int calls = 0;
};

/// Both ranks take two clips a batch; statistics that follow the batch would make them differ from one with four.
TinyRun run_of(const TinyInputs& inputs, const char* batch_size) {
  return {.options = {"--batch-norm", "frozen", "--num-epochs", "2", "--eval-dataset", inputs.evaluation_data(),
                      "--eval-steps", "2", "--batch-size", batch_size}};
}

json to_json(const TinyResult& result, int calls) {
  return {{"losses", result.losses},
          {"norms", result.gradient_norms},
          {"eval", result.evaluation_losses},
          {"calls", calls}};
}

/// In a process of its own, as autograd has one thread for a device.
void be_rank(const json& role) {
  process::WorkerEnvironment environment;
  environment.rank = environment.local_rank = role.at("rank");
  environment.world_size = environment.local_world_size = 2;
  environment.master_addr = "127.0.0.1";
  environment.master_port = role.at("port");
  const bool on_gpu = role.at("on_device");
  const TinyInputs inputs(Clips::mixed);
  const auto store = distributed::join_store(environment, std::chrono::seconds(60));
  auto backend = on_gpu ? c10::make_intrusive<DeviceGloo>(store, environment.rank, 2) : nullptr;
  distributed::ProcessGroup group(environment, on_gpu ? kCountingDevice : at::Device(at::kCPU),
                                  std::chrono::seconds(60), store, backend);
  const TinyResult result = train(inputs, run_of(inputs, "2"), on_gpu ? kCountingDevice : at::Device(at::kCPU), &group);
  std::ofstream(role.at("result").get<std::string>()) << to_json(result, backend ? backend->calls : 0);
  group.leave();
}

json rank_0_of_two(bool on_gpu) {
  const mdl::test::TempDir dir;
  const int port = free_port();
  std::vector<pid_t> children;
  for (int rank = 0; rank < 2; ++rank) {
    const std::string result = dir.path() / str_cat(rank);
    const json role = {{"rank", rank}, {"port", port}, {"on_device", on_gpu}, {"result", result}};
    ::setenv("MDL_TEST_ROLE", role.dump().c_str(), 1);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::execl("/proc/self/exe", "device_tests", kTestName, nullptr);
      ::_exit(127);
    }
    children.push_back(child);
  }
  ::unsetenv("MDL_TEST_ROLE");
  for (const pid_t child : children) {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(status == 0);
  }
  std::ifstream file(dir.path() / "0");
  return json::parse(file);
}

void check_same(const json& found, const json& expected, double epsilon) {
  for (const char* const what : {"losses", "norms", "eval"}) {
    REQUIRE(found.at(what).size() == expected.at(what).size());
    for (size_t i = 0; i < found.at(what).size(); ++i) {
      INFO(what << " " << i);
      CHECK(found.at(what)[i].get<double>() == Approx(expected.at(what)[i].get<double>()).epsilon(epsilon));
    }
  }
}

}  // namespace

TEST_CASE("two ranks on devices that only speak of their own memory train as two on CPUs") {
  if (const char* const role = std::getenv("MDL_TEST_ROLE")) { return be_rank(json::parse(role)); }
  const json found = rank_0_of_two(true);
  CHECK(found.at("losses").size() == 4);
  CHECK(found.at("eval").size() >= 2);
  CHECK(found.at("calls").get<int>() > 10);
  check_same(found, rank_0_of_two(false), 1e-5);
  const TinyInputs inputs(Clips::mixed);
  // A batch of four is as loud as its loudest clip: what is too quiet beside it is cut off.
  check_same(found, to_json(train(inputs, run_of(inputs, "4"), at::kCPU), 0), 1e-2);
}
