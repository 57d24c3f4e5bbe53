#include "worker/distributed/rank_meeting.hpp"

#include <ATen/Context.h>
#include <torch/torch.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/str_cat.hpp"
#include "worker/device/rank_devices.hpp"
#include "worker/libraries/built_for.hpp"

#ifdef MDL_WITH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#endif

namespace mdl::worker::distributed {
namespace {

using Clock = std::chrono::steady_clock;

/// For how long a store that does not answer is tried at most.
constexpr std::chrono::milliseconds kLongestSearch = std::chrono::minutes(5);

/// For how long rank 0, which may be the store's host, waits for the others to hear why all end.
constexpr std::chrono::milliseconds kFarewell = std::chrono::seconds(10);

/// How often rank 0 looks whether a rank has a problem, while others are still to come.
constexpr std::chrono::milliseconds kGlance = std::chrono::seconds(1);

constexpr const char* kVerdict = "mdl/devices";
constexpr const char* kTrouble = "mdl/devices/trouble";  ///< somebody has a problem: who is not there is not waited for

device::CudaView view_cuda() {
  device::CudaView view;
  view.built_for = str_cat("LibTorch ", libraries::built_for().torch);
#ifdef MDL_WITH_CUDA
  view.runtime = CUDART_VERSION;
  const cudaError_t result = cudaGetDeviceCount(&view.gpus);
  if (result != cudaSuccess) {
    view.gpus = 0;
    view.error = cudaGetErrorString(result);
    static_cast<void>(cudaGetLastError());  // LibTorch would take it for one of its own
  } else if (view.gpus == 0) {
    view.error = cudaGetErrorString(cudaErrorNoDevice);
  }
#else
  view.built_in = libraries::built_for().has_cuda();
  if (view.built_in) { view.error = "this machine shows no device, driver or card of NVIDIA's"; }
#endif
  return view;
}

at::Device device_of(const device::Choice& choice, int gpus, int local_rank) {
  if (choice.kind == device::Kind::cpu) { return at::kCPU; }
  const auto index = static_cast<c10::DeviceIndex>(gpu_of(local_rank, gpus));
#ifdef MDL_WITH_CUDA
  c10::cuda::set_device(index);
#endif
  return {at::kCUDA, index};
}

/// The identity of the GPU of a local rank; empty for the CPU, and where it is not known.
std::string identity_of_gpu(const device::Choice& choice, int gpus, int local_rank) {
  const bool has_one = choice.kind == device::Kind::cuda && choice.problem.empty() && (local_rank < gpus || gpus == 1);
  return has_one ? gpu_uuid(gpu_of(local_rank, gpus)) : std::string();
}

std::vector<uint8_t> bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

std::string key_of(int rank) {
  return str_cat(kVerdict, '/', rank);
}

/// The text of a key, which is waited for until the deadline; nullopt when it has not come.
std::optional<std::string> text_of(c10d::Store& store, const std::string& key, Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  try {
    store.wait({key}, std::max(left, std::chrono::milliseconds(1)));
  } catch (const c10::DistStoreError&) { return std::nullopt; }
  const std::vector<uint8_t> bytes = store.get(key);
  return std::string(bytes.begin(), bytes.end());
}

device::Disagreement absent(const std::string& who, std::chrono::milliseconds timeout) {
  return {str_cat(who, " has not come to the store within ",
                  std::chrono::duration_cast<std::chrono::seconds>(timeout).count(), " s"),
          "Did it end, or does its node start much later? --ddp-timeout says how long ranks wait for each other."};
}

/// What the ranks tell, in their order, up to the deadline; when one has a problem, of those that have come by then.
std::vector<device::RankDevice> devices_of(c10d::Store& store, int world_size, Clock::time_point deadline) {
  std::vector<device::RankDevice> devices;
  bool trouble = false;
  for (int rank = 0; rank < world_size; ++rank) {
    std::optional<std::string> text;
    while (!text && !(trouble = trouble || store.check({kTrouble})) && Clock::now() < deadline) {
      text = text_of(store, key_of(rank), std::min(deadline, Clock::now() + kGlance));
    }
    if (!text && store.check({key_of(rank)})) { text = text_of(store, key_of(rank), deadline); }
    if (text) { devices.push_back(device::from_text(*text)); }
  }
  return devices;
}

std::optional<device::Disagreement> judge(c10d::Store& store, int world_size, std::chrono::milliseconds timeout) {
  try {
    const auto devices = devices_of(store, world_size, Clock::now() + timeout);
    if (auto found = device::find_disagreement(devices)) { return found; }
    for (int rank = 0; rank < world_size; ++rank) {
      const auto is_rank = [&](const device::RankDevice& each) { return each.rank == rank; };
      if (std::none_of(devices.begin(), devices.end(), is_rank)) { return absent(str_cat("rank ", rank), timeout); }
    }
    return std::nullopt;
  } catch (const Error& error) { return device::Disagreement{error.problem(), error.advice()}; }
}

/// Until the others have read the verdict: the store may end with this process.
void wait_for_readers(c10d::Store& store, int world_size) {
  const auto deadline = Clock::now() + kFarewell;
  for (int rank = 1; rank < world_size; ++rank) { text_of(store, key_of(rank) + "/read", deadline); }
}

}  // namespace

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
    // For the keys of other ranks, which may start later than this one, and for NCCL's.
    store->setTimeout(timeout);
    if (environment.store_prefix.empty()) { return store; }
    return c10::make_intrusive<c10d::PrefixStore>(environment.store_prefix, store);
  } catch (const c10::Error& error) {  // its what() would add a C++ stack trace
    throw Error(str_cat("cannot ", options.isServer ? "serve" : "reach", " the store at MASTER_ADDR:MASTER_PORT ",
                        environment.master_addr, ":", environment.master_port, ": ", error.what_without_backtrace()),
                options.isServer ? "Another program may hold the port; choose a different MASTER_PORT."
                                 : "Is rank 0 (or the launcher) running, and does a firewall let this port through?");
  }
}

std::string gpu_uuid(int index) {
#ifdef MDL_WITH_CUDA
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) == cudaSuccess) {
    std::string text = "GPU-";
    for (size_t i = 0; i < sizeof properties.uuid.bytes; ++i) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(properties.uuid.bytes[i]);
      if (i == 4 || i == 6 || i == 8 || i == 10) { text += '-'; }
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }
#endif
  static_cast<void>(index);
  return {};
}

int gpu_of(int local_rank, int gpus) {
  if (local_rank < gpus) { return local_rank; }
  if (gpus == 1) { return 0; }
  throw UsageError(str_cat("local rank ", local_rank, " has no GPU: this host shows ", gpus, " to the job"),
                   "Start at most one process for each GPU (--nproc-per-node gpu).");
}

bool forms_group(const std::optional<process::WorkerEnvironment>& environment, const process::Lookup& lookup) {
  const bool forced = process::lookup_switch("MDL_FORCE_GROUP", "1 makes a group of a single process.", lookup);
  if (forced && !environment) {
    throw UsageError("MDL_FORCE_GROUP=1 in a process that no launcher started",
                     "Start it with mdl-launch or torchrun, --nproc-per-node 1, or unset the variable.");
  }
  return environment && (forced || environment->world_size > 1);
}

void choose_attention(const process::Lookup& lookup) {
  at::globalContext().setSDPUseCuDNN(
      process::lookup_switch("MDL_CUDNN_ATTENTION", "1 lets cuDNN compute attention on a GPU.", lookup));
}

void agree_on_device(c10d::Store& store, const process::WorkerEnvironment& environment, const device::Choice& choice,
                     std::chrono::milliseconds timeout) {
  store.set(key_of(environment.rank), bytes_of(device::to_text({environment.rank, host_name(), choice})));
  if (!choice.problem.empty()) { store.set(kTrouble, bytes_of("1")); }
  if (environment.rank == 0) {
    const auto found = judge(store, environment.world_size, timeout);
    const device::Disagreement verdict = found.value_or(device::Disagreement{});
    store.set(kVerdict, bytes_of(nlohmann::json{{"problem", verdict.problem}, {"advice", verdict.advice}}.dump()));
    if (!found) { return; }
    wait_for_readers(store, environment.world_size);
    throw Error(verdict.problem, verdict.advice);
  }
  const auto patience = choice.problem.empty() ? timeout + kFarewell : kFarewell;
  const auto text = text_of(store, kVerdict, Clock::now() + patience);
  if (!text && !choice.problem.empty()) { throw Error(choice.problem, choice.advice); }
  if (!text) {
    const device::Disagreement missed = absent("rank 0", timeout);
    throw Error(missed.problem, missed.advice);
  }
  const auto verdict = nlohmann::json::parse(*text);
  if (const auto problem = verdict.at("problem").get<std::string>(); !problem.empty()) {
    store.set(key_of(environment.rank) + "/read", bytes_of("1"));
    throw Error(problem, verdict.at("advice").get<std::string>());
  }
}

Meeting meet_ranks(const std::optional<process::WorkerEnvironment>& environment, const device::Wish& wish,
                   std::chrono::milliseconds timeout, Gpus gpus) {
  choose_attention();
  const bool grouped = forms_group(environment);
  const device::CudaView cuda = wish.what == device::Wish::What::cpu ? device::CudaView{} : view_cuda();
  device::Choice choice = device::choose(wish, cuda, [] { return nvidia::find_driver(); });
  if (gpus == Gpus::one_each) {
    choice.gpu = identity_of_gpu(choice, cuda.gpus, environment ? environment->local_rank : 0);
  }
  Meeting meeting{.device = at::kCPU, .because = choice.because, .store = nullptr};
  if (grouped) {
    meeting.store = join_store(*environment, choice.problem.empty() ? timeout : kFarewell);
    agree_on_device(*meeting.store, *environment, choice, timeout);
  } else if (!choice.problem.empty()) {
    throw Error(choice.problem, choice.advice);
  }
  meeting.device = device_of(choice, cuda.gpus, environment ? environment->local_rank : 0);
  return meeting;
}

}  // namespace mdl::worker::distributed
