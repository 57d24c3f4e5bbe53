#include "worker/distributed/process_group.hpp"

#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base64.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/distributed/network_interface.hpp"

#ifdef MDL_WITH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace mdl::worker::distributed {
namespace {

/// Bytes of one broadcast message, as torch's DistributedDataParallel has it.
constexpr size_t kBroadcastBytes = size_t{250} << 20;

/// How long one question to the store waits before it is asked again.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(60);

/// For how long a store that does not answer is tried at most.
constexpr std::chrono::milliseconds kLongestSearch = std::chrono::minutes(5);

/// Throws Error when the store cannot be reached within `timeout`.
c10::intrusive_ptr<c10d::Store> join_store(const process::WorkerEnvironment& environment,
                                           std::chrono::milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = environment.master_port;
  options.isServer = !environment.launcher_has_store && environment.rank == 0;
  // The launcher's store has clients of its own, so only a store of ours can wait for a known number.
  if (!environment.launcher_has_store) { options.numWorkers = static_cast<size_t>(environment.world_size); }
  options.waitWorkers = false;
  options.timeout = std::min(timeout, kLongestSearch);
  try {
    c10::intrusive_ptr<c10d::Store> store = c10::make_intrusive<c10d::TCPStore>(environment.master_addr, options);
    // It would be the limit for keys of ranks as well that start later than this one.
    store->setTimeout(c10d::Store::kDefaultTimeout);
    if (environment.store_prefix.empty()) { return store; }
    return c10::make_intrusive<c10d::PrefixStore>(environment.store_prefix, store);
  } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
    throw Error(str_cat("cannot ", options.isServer ? "serve" : "reach", " the store at MASTER_ADDR:MASTER_PORT ",
                        environment.master_addr, ":", environment.master_port, ": ", error.what_without_backtrace()),
                options.isServer ? "Another program may hold the port; choose a different MASTER_PORT."
                                 : "Is rank 0 (or the launcher) running, and does a firewall let this port through?");
  }
}

c10::intrusive_ptr<c10d::Backend> make_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                            const process::WorkerEnvironment& environment,
                                            std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(std::visit(
      [](const auto& way) {
        if constexpr (std::is_same_v<std::decay_t<decltype(way)>, InterfaceName>) {
          return c10d::ProcessGroupGloo::createDeviceForInterface(way.name);
        } else {
          return c10d::ProcessGroupGloo::createDeviceForHostname(way.address);
        }
      },
      choose_gloo_address(environment)));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, environment.rank, environment.world_size, options);
}

}  // namespace

ProcessGroup::ProcessGroup(const process::WorkerEnvironment& environment, at::Device device,
                           std::chrono::milliseconds timeout)
    : rank_(environment.rank), world_size_(environment.world_size), device_(device) {
  using Group = c10d::ProcessGroup;
  store_ = join_store(environment, timeout);
  group_ = c10::make_intrusive<Group>(store_, environment.rank, environment.world_size);
  if (device.is_cuda()) {
#ifdef MDL_WITH_CUDA
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = timeout;
    auto nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store_),
                                                            environment.rank, environment.world_size, options);
    group_->setBackend(at::kCUDA, Group::NCCL, std::optional<c10::intrusive_ptr<c10d::Backend>>(nccl));
    group_->setDefaultBackend(Group::NCCL);
    group_->setBoundDeviceId(device);
#endif
  } else {
    auto gloo = make_gloo(c10::make_intrusive<c10d::PrefixStore>("gloo", store_), environment, timeout);
    group_->setBackend(at::kCPU, Group::GLOO, std::optional<c10::intrusive_ptr<c10d::Backend>>(gloo));
    group_->setDefaultBackend(Group::GLOO);
  }
  group_->setGroupName("mdl");
}

ProcessGroup::~ProcessGroup() = default;

void ProcessGroup::PendingSum::wait() {
  if (work_) { work_->wait(); }
  work_.reset();
}

void ProcessGroup::PendingSum::check() {
  if (!work_ || !work_->isCompleted()) { return; }
  if (const auto failure = work_->exception()) { std::rethrow_exception(failure); }
}

ProcessGroup::PendingSum ProcessGroup::start_sum(at::Tensor& tensor) {
  if (is_alone()) { return PendingSum(nullptr); }
  std::vector<at::Tensor> tensors{tensor};
  return PendingSum(group_->allreduce(tensors));
}

void ProcessGroup::meet() {
  at::Tensor count = at::ones({1}, at::TensorOptions(device_).dtype(at::kLong));
  sum(count);
  static_cast<void>(count.item<int64_t>());  // on a GPU this is what waits
}

void ProcessGroup::broadcast(const std::vector<at::Tensor>& tensors) {
  if (!is_alone() && !tensors.empty()) { c10d::broadcast_coalesced(group_, tensors, kBroadcastBytes, /*rank=*/0); }
}

std::string ProcessGroup::share(const std::string& name, const std::string& text) {
  if (is_alone()) { return text; }
  const std::string key = "mdl/" + name;
  if (is_first()) {
    store_->set(key, std::vector<uint8_t>(text.begin(), text.end()));
    return text;
  }
  return wait_for(key);
}

std::vector<std::string> ProcessGroup::gather(const std::string& name, const std::string& text) {
  if (is_alone()) { return {text}; }
  const auto key_of = [&](int64_t rank) { return str_cat("mdl/", name, "/", rank); };
  if (!is_first()) {
    store_->set(key_of(rank_), std::vector<uint8_t>(text.begin(), text.end()));
    return {};
  }
  std::vector<std::string> texts = {text};
  for (int64_t rank = 1; rank < world_size_; ++rank) {
    texts.push_back(wait_for(key_of(rank)));
    store_->deleteKey(key_of(rank));
  }
  return texts;
}

std::vector<std::string> ProcessGroup::share_all(const std::string& name, const std::string& text) {
  const nlohmann::json texts = gather(name, base64_encode(text));
  std::vector<std::string> all;
  for (const auto& item : nlohmann::json::parse(share(name + "/all", texts.dump()))) {
    all.push_back(base64_decode(item.get<std::string>()).value());
  }
  return all;
}

std::string ProcessGroup::wait_for(const std::string& key) {
  for (;;) {
    try {
      store_->wait({key}, kPatience);
      break;
    } catch (const c10::DistStoreError&) {
      // Not there yet. A rank that has ended takes its launcher's store, and so this connection, with it: another
      // error.
    }
  }
  const std::vector<uint8_t> bytes = store_->get(key);
  return {bytes.begin(), bytes.end()};
}

int64_t ProcessGroup::next_number(const std::string& name) {
  return is_alone() ? numbers_[name]++ : store_->add("mdl/next/" + name, 1) - 1;
}

void ProcessGroup::post(const std::string& name, const std::string& text) {
  store_->set("mdl/post/" + name, std::vector<uint8_t>(text.begin(), text.end()));
}

std::optional<std::string> ProcessGroup::take(const std::string& name) {
  const std::string key = "mdl/post/" + name;
  if (is_alone() || !store_->check({key})) { return std::nullopt; }
  const std::vector<uint8_t> bytes = store_->get(key);
  store_->deleteKey(key);
  return std::string(bytes.begin(), bytes.end());
}

void ProcessGroup::require_same(const std::string& facts) {
  std::istringstream mine(facts);
  std::istringstream theirs(share("facts", facts));
  for (std::string a, b; std::getline(mine, a) && std::getline(theirs, b);) {
    if (a != b) {
      throw UsageError(str_cat("rank ", rank_, " was started with ", a, ", but rank 0 with ", b),
                       "All workers of a run need the same options and the same data.");
    }
  }
}

at::Device choose_device(const std::optional<process::WorkerEnvironment>& environment) {
#ifdef MDL_WITH_CUDA
  // 0, without an error, where no driver is installed. The type is char's, the value a count.
  // NOLINTNEXTLINE(bugprone-signed-char-misuse)
  const int gpus = c10::cuda::device_count();
  if (gpus > 0) {
    const int wanted = environment ? environment->local_rank : 0;
    if (wanted >= gpus) {
      throw UsageError(str_cat("local rank ", wanted, " has no GPU: this host shows ", gpus, " to the job"),
                       "Start at most one process for each GPU (--nproc-per-node gpu).");
    }
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(wanted));
    return {at::kCUDA, static_cast<c10::DeviceIndex>(wanted)};
  }
#else
  static_cast<void>(environment);
#endif
  return at::kCPU;
}

bool prefers_bf16(at::Device device) {
#ifdef MDL_WITH_CUDA
  if (device.is_cuda()) {
    int major = 0;
    return cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device.index()) == cudaSuccess &&
           major >= 8;
  }
#endif
  static_cast<void>(device);
  return false;
}

}  // namespace mdl::worker::distributed
