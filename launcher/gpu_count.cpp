#include "launcher/gpu_count.hpp"

#include <dlfcn.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <memory>
#include <thread>

#include "common/error.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher {
namespace {

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t comma = text.find(',', begin);
    parts.push_back(text.substr(begin, comma - begin));
    if (comma == std::string::npos) return parts;
    begin = comma + 1;
  }
}

/// The number that `text` begins with (CUDA reads "1gpu" as 1); -1 where it begins with none.
int leading_number(std::string text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  text.erase(0, std::min(begin, text.size()));
  if (!text.empty() && text[0] == '+') text.erase(0, 1);
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? number : -1;
}

int count_indices(const std::vector<std::string>& items, int available) {
  std::vector<int> seen;
  std::optional<std::size_t> first_absent;
  for (const std::string& item : items) {
    const int index = leading_number(item);
    if (std::find(seen.begin(), seen.end(), index) != seen.end()) return 0;
    if (index < 0) break;
    if (index >= available && !first_absent) first_absent = seen.size();
    seen.push_back(index);
  }
  return static_cast<int>(first_absent.value_or(seen.size()));
}

int count_uuids(const std::vector<std::string>& items, const GpuInventory& gpus) {
  std::vector<std::string> named;
  for (const std::string& item : items) {
    if (std::find(named.begin(), named.end(), item) != named.end()) return 0;
    if (item.rfind("GPU-", 0) != 0) break;
    named.push_back(item);
  }
  if (!gpus.uuids) return std::min(static_cast<int>(named.size()), gpus.count);
  std::vector<std::size_t> found;
  for (const std::string& name : named) {
    std::vector<std::size_t> matches;
    for (std::size_t i = 0; i < gpus.uuids->size(); ++i) {
      if ((*gpus.uuids)[i].rfind(name, 0) == 0) matches.push_back(i);
    }
    if (matches.size() != 1) break;
    if (std::find(found.begin(), found.end(), matches[0]) != found.end()) return 0;
    found.push_back(matches[0]);
  }
  return static_cast<int>(found.size());
}

/// The few functions of NVML that counting needs; nvmlReturn_t is an int, and 0 means success.
class Nvml {
 public:
  Nvml() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (!library_) return;
    init_ = symbol<int()>("nvmlInit_v2", "nvmlInit");
    shutdown_ = symbol<int()>("nvmlShutdown");
    count_ = symbol<int(unsigned*)>("nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
    handle_ = symbol<int(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
    uuid_ = symbol<int(void*, char*, unsigned)>("nvmlDeviceGetUUID");
    ready_ = init_ && count_ && init_() == 0;
  }
  ~Nvml() {
    if (ready_ && shutdown_) shutdown_();
    if (library_) ::dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  std::optional<GpuInventory> inventory() const {
    unsigned count = 0;
    if (!ready_ || count_(&count) != 0) return std::nullopt;
    GpuInventory gpus{static_cast<int>(count), uuids(count), "NVML"};
    return gpus;
  }

 private:
  template <typename Function>
  Function* symbol(const char* name, const char* older_name = nullptr) const {
    void* address = ::dlsym(library_, name);
    if (!address && older_name) address = ::dlsym(library_, older_name);
    return reinterpret_cast<Function*>(address);
  }

  std::optional<std::vector<std::string>> uuids(unsigned count) const {
    if (!handle_ || !uuid_) return std::nullopt;
    std::vector<std::string> found;
    for (unsigned i = 0; i < count; ++i) {
      void* device = nullptr;
      std::array<char, 97> text{};  // NVML's own limit is 96 bytes
      if (handle_(i, &device) != 0 || uuid_(device, text.data(), text.size() - 1) != 0) return std::nullopt;
      found.emplace_back(text.data());
    }
    return found;
  }

  void* library_;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*handle_)(unsigned, void**) = nullptr;
  int (*uuid_)(void*, char*, unsigned) = nullptr;
  bool ready_ = false;
};

int usable_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) == 0) return CPU_COUNT(&cpus);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int visible_gpus(const std::optional<std::string>& visible, const GpuInventory& gpus) {
  if (!visible) return gpus.count;
  const std::vector<std::string> items = split_at_commas(*visible);
  if (visible->rfind("MIG-", 0) == 0) return std::min(1, gpus.count);
  if (visible->rfind("GPU-", 0) == 0) return count_uuids(items, gpus);
  return count_indices(items, gpus.count);
}

GpuInventory find_gpus() {
  if (auto gpus = Nvml().inventory()) return *gpus;
  GpuInventory gpus{0, std::nullopt, "/proc/driver/nvidia/gpus"};
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/driver/nvidia/gpus", error), end; !error && entry != end;
       entry.increment(error)) {
    ++gpus.count;
  }
  return gpus;
}

int count_workers(const std::string& nproc_per_node, const std::optional<std::string>& cuda_visible_devices) {
  if (nproc_per_node == "cpu") return usable_cpus();
  if (nproc_per_node == "gpu" || nproc_per_node == "auto") {
    const GpuInventory gpus = find_gpus();
    const int count = visible_gpus(cuda_visible_devices, gpus);
    if (count > 0) return count;
    if (nproc_per_node == "auto") return usable_cpus();
    if (gpus.count > 0) {
      throw Error(str_cat("--nproc-per-node gpu: this machine has ", gpus.count, " GPU", gpus.count == 1 ? "" : "s",
                          ", but CUDA_VISIBLE_DEVICES=\"", cuda_visible_devices.value_or(""), "\" leaves none visible"),
                  "Unset CUDA_VISIBLE_DEVICES, or name GPUs by index (0 is the first) or by UUID (nvidia-smi -L).");
    }
    throw Error(
        "--nproc-per-node gpu: no GPU found on this machine (asked NVML, then /proc/driver/nvidia/gpus)",
        "Check the driver with nvidia-smi; in a container, start it with its GPUs (--gpus all). To train on the "
        "CPU, give a number: --nproc-per-node 2.");
  }
  if (nproc_per_node == "xpu") {
    throw UsageError("--nproc-per-node xpu: mdl-launch counts NVIDIA's GPUs only, and cannot count Intel's",
                     "Give the number of workers.");
  }
  int number = 0;
  const char* end_of_text = nproc_per_node.data() + nproc_per_node.size();
  const auto [end, error] = std::from_chars(nproc_per_node.data(), end_of_text, number);
  if (error != std::errc() || end != end_of_text || number < 1) {
    throw UsageError(
        str_cat("--nproc-per-node must be a number above 0, gpu, cpu or auto, but is \"", nproc_per_node, "\""));
  }
  return number;
}

}  // namespace mdl::launcher
