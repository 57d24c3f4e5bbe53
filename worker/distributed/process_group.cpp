#include "worker/distributed/process_group.hpp"

#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/base64.hpp"
#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/distributed/network_interface.hpp"
#include "worker/distributed/rank_meeting.hpp"

#ifdef MDL_WITH_CUDA
#include <cuda_runtime_api.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace mdl::worker::distributed {
namespace {

/// Bytes of one broadcast message, as torch's DistributedDataParallel has it.
constexpr size_t kBroadcastBytes = size_t{250} << 20;

/// How long one question to the store waits before it is asked again.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(60);

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
                           std::chrono::milliseconds timeout, c10::intrusive_ptr<c10d::Store> store)
    : rank_(environment.rank), world_size_(environment.world_size), device_(device), store_(std::move(store)) {
  using Group = c10d::ProcessGroup;
  if (!store_) { store_ = join_store(environment, timeout); }
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
