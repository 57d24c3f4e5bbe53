#include "worker/distributed/process_group.hpp"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/comm.hpp>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "common/base64.hpp"
#include "common/error.hpp"
#include "common/host.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "worker/distributed/network_interface.hpp"
#include "worker/distributed/peer_sockets.hpp"
#include "worker/distributed/rank_meeting.hpp"

#ifdef MDL_WITH_CUDA
#include <cuda_runtime_api.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace mdl::worker::distributed {
namespace {

/// Bytes of one broadcast message, as torch's DistributedDataParallel has it.
constexpr size_t kBroadcastBytes = size_t{250} << 20;

/// In torch's record of collectives.
constexpr const char* kGroupName = "mdl";

/// How often the store is asked for a key, which is soon there or late, and how often the host looks at the device.
constexpr std::chrono::milliseconds kFirstLook{1}, kLastLook{200};
constexpr std::chrono::microseconds kPoll{50};

/// For how long rank 0, which may serve the store, stays for the others when all is done.
constexpr std::chrono::seconds kGoodbye{10};

c10::intrusive_ptr<c10d::Backend> make_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                            const process::WorkerEnvironment& environment,
                                            std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->group_name = kGroupName;
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

#ifdef MDL_WITH_CUDA
c10::intrusive_ptr<c10d::Backend> make_nccl(const c10::intrusive_ptr<c10d::Store>& store,
                                            const process::WorkerEnvironment& environment,
                                            std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->group_name = kGroupName;
  options->timeout = timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, environment.rank, environment.world_size, options);
}
#endif

/// NCCL for a GPU, else Gloo, with keys of its own in the store.
c10::intrusive_ptr<c10d::Backend> make_backend(const c10::intrusive_ptr<c10d::Store>& store,
                                               const process::WorkerEnvironment& environment, at::Device device,
                                               std::chrono::milliseconds timeout) {
  const auto keys = [&](const char* name) { return c10::make_intrusive<c10d::PrefixStore>(name, store); };
#ifdef MDL_WITH_CUDA
  if (device.is_cuda()) { return make_nccl(keys("nccl"), environment, timeout); }
#endif
  static_cast<void>(device);
  return make_gloo(keys("gloo"), environment, timeout);
}

}  // namespace

ProcessGroup::ProcessGroup(const process::WorkerEnvironment& environment, at::Device device, const WaitLimits& limits,
                           c10::intrusive_ptr<c10d::Store> store, c10::intrusive_ptr<c10d::Backend> backend)
    : rank_(environment.rank),
      world_size_(environment.world_size),
      device_(device),
      environment_(environment),
      store_(std::move(store)) {
  using Group = c10d::ProcessGroup;
  if (!store_) { store_ = join_store(environment, limits.timeout); }
  group_ = c10::make_intrusive<Group>(store_, environment.rank, environment.world_size);
  // The backend takes it over as it is set; later it would learn of its GPU from the first tensor.
  if (!device.is_cpu()) { group_->setBoundDeviceId(device); }
  const auto type = backend ? Group::CUSTOM : device.is_cuda() ? Group::NCCL : Group::GLOO;
  std::vector<PeerSocket> sockets;
  if (!backend) {
    const std::vector<PeerSocket> before = open_peer_sockets();
    backend = make_backend(store_, environment, device, limits.timeout);
    // Gloo's abort() does nothing, but its waits end when its connections do. NCCL makes its own later.
    if (device.is_cpu()) { sockets = new_peer_sockets(before, open_peer_sockets()); }
  }
  group_->setBackend(device.type(), type, std::optional<c10::intrusive_ptr<c10d::Backend>>(backend));
  group_->setDefaultBackend(type);
  group_->setGroupName(kGroupName);
  group_->setGroupDesc("default_pg");  // as torch calls the group of all ranks
  watch_ = std::make_unique<PeerWatch>(limits, backend, [backend, sockets] {
    end_connections(sockets);
    backend->abort();
  });
}

ProcessGroup::~ProcessGroup() {
  if (watch_ && watch_->ended()) { static_cast<void>(group_.release()); }
}

PeerWatch::Expectation ProcessGroup::expect(const std::string& what) {
  return watch_ ? watch_->expect(what) : PeerWatch::Expectation(nullptr);
}

std::optional<PeersLost> ProcessGroup::explain(const std::exception& error) const {
  return watch_ ? watch_->explain(error) : std::nullopt;
}

at::Tensor ProcessGroup::fetch(const at::Tensor& tensor) {
  const auto begin = std::chrono::steady_clock::now();
  at::Tensor host = tensor;
  if (!tensor.is_cpu()) {
    host = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
    host.copy_(tensor, /*non_blocking=*/true);
    c10::Event copied(tensor.device().type());
    copied.record(c10::impl::VirtualGuardImpl(tensor.device().type()).getStream(tensor.device()));
    while (!copied.query()) {
      if (watch_) { watch_->check(begin); }
      std::this_thread::sleep_for(kPoll);
    }
  }
  // Operations that were broken off count as done, with any numbers.
  if (watch_) { watch_->check(); }
  return host;
}

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

Error ProcessGroup::not_connected(const std::string& why) const {
  std::string address;
  try {
    address = str_cat(", which reaches MASTER_ADDR ", environment_.master_addr, " from ",
                      address_towards_master(environment_).address, ",");
  } catch (const Error& error) { address = str_cat(" (", error.problem(), ")"); }
  return Error(
      str_cat("rank ", rank_, " on ", host_name(), address, " cannot connect its GPU with the other ranks': ", why),
      "NCCL_DEBUG=INFO tells what NCCL tries. NCCL_SOCKET_IFNAME names the network interface that leads to the "
      "other hosts, where it takes a wrong one.");
}

void ProcessGroup::connect() {
  if (is_alone() || device_.is_cpu()) { return; }
  try {
    group_->getDefaultBackend()->eagerConnectSingleDevice(device_);
    meet();
  } catch (const c10::Error& error) {
    throw not_connected(error.what_without_backtrace());
  } catch (const std::exception& error) { throw not_connected(error.what()); }
}

void ProcessGroup::leave(Patience patience) {
  if (is_alone()) { return; }
  share("finished", "", patience);
  try {
    watch_.reset();
    group_->shutdown();
  } catch (const std::exception& error) {  // all is written
    log::warning("the connections with the other ranks were not shut down as they should: ", error.what());
  }
  const auto left = [](int64_t rank) { return str_cat("mdl/left/", rank); };
  if (!is_first()) {
    store_->set(left(rank_), std::vector<uint8_t>{1});
  } else {
    std::vector<std::string> others;
    for (int64_t rank = 1; rank < world_size_; ++rank) { others.push_back(left(rank)); }
    try {
      store_->wait(others, kGoodbye);
    } catch (const std::exception&) {
      log::warning("not all ranks have said goodbye within ", kGoodbye.count(), " s; what was to be written is");
    }
  }
  group_.reset();
}

void ProcessGroup::meet() {
  at::Tensor count = at::ones({1}, at::TensorOptions(device_).dtype(at::kLong));
  sum(count);
  static_cast<void>(fetch(count));  // on a GPU this is what waits
}

void ProcessGroup::broadcast(const std::vector<at::Tensor>& tensors) {
  if (!is_alone() && !tensors.empty()) { c10d::broadcast_coalesced(group_, tensors, kBroadcastBytes, /*rank=*/0); }
}

std::string ProcessGroup::share(const std::string& name, const std::string& text, Patience patience) {
  if (is_alone()) { return text; }
  const std::string key = "mdl/" + name;
  if (is_first()) {
    store_->set(key, std::vector<uint8_t>(text.begin(), text.end()));
    return text;
  }
  return wait_for(key, patience);
}

std::vector<std::string> ProcessGroup::gather(const std::string& name, const std::string& text, Patience patience) {
  if (is_alone()) { return {text}; }
  const auto key_of = [&](int64_t rank) { return str_cat("mdl/", name, "/", rank); };
  if (!is_first()) {
    store_->set(key_of(rank_), std::vector<uint8_t>(text.begin(), text.end()));
    return {};
  }
  std::vector<std::string> texts = {text};
  for (int64_t rank = 1; rank < world_size_; ++rank) {
    texts.push_back(wait_for(key_of(rank), patience));
    store_->deleteKey(key_of(rank));
  }
  return texts;
}

std::vector<std::string> ProcessGroup::share_all(const std::string& name, const std::string& text, Patience patience) {
  const nlohmann::json texts = gather(name, base64_encode(text), patience);
  std::vector<std::string> all;
  for (const auto& item : nlohmann::json::parse(share(name + "/all", texts.dump(), patience))) {
    all.push_back(base64_decode(item.get<std::string>()).value());
  }
  return all;
}

std::string ProcessGroup::wait_for(const std::string& key, Patience patience) {
  std::optional<std::chrono::steady_clock::time_point> begin;
  if (patience == Patience::timeout) { begin = std::chrono::steady_clock::now(); }
  // Not by the store's own wait, which warns of each timeout. A rank that has ended takes its launcher's store, and so
  // this connection, with it.
  for (auto pause = kFirstLook; !store_->check({key}); pause = std::min(2 * pause, kLastLook)) {
    if (watch_) { watch_->check(begin); }
    std::this_thread::sleep_for(pause);
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

std::string describe_gpu_without_bf16(at::Device device) {
#ifdef MDL_WITH_CUDA
  cudaDeviceProp properties{};
  if (device.is_cuda() && !prefers_bf16(device) &&
      cudaGetDeviceProperties(&properties, device.index()) == cudaSuccess) {
    return str_cat(properties.name, " of compute capability ", properties.major, ".", properties.minor);
  }
#endif
  static_cast<void>(device);
  return {};
}

}  // namespace mdl::worker::distributed
