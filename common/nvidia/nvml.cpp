#include "common/nvidia/nvml.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace mdl::nvidia {

/// How nvmlPciInfo_t begins, in its second and its third version; what follows is not needed.
struct Nvml::PciInfo {
  char short_address[16];
  unsigned domain;
  unsigned bus;
  unsigned device;
  char rest[256];
};

/// nvmlMemory_t: bytes.
struct Nvml::Memory {
  unsigned long long total, free, used;
};

// nvmlReturn_t is an int, and 0 means success.
Nvml::Nvml() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
  if (!library_) { return; }
  auto* const init = symbol<int()>("nvmlInit_v2", "nvmlInit");
  shutdown_ = symbol<int()>("nvmlShutdown");
  count_ = symbol<int(unsigned*)>("nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
  handle_ = symbol<int(unsigned, void**)>("nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
  uuid_ = symbol<int(void*, char*, unsigned)>("nvmlDeviceGetUUID");
  pci_ = symbol<int(void*, PciInfo*)>("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2");
  memory_ = symbol<int(void*, Memory*)>("nvmlDeviceGetMemoryInfo");
  driver_ = symbol<int(char*, unsigned)>("nvmlSystemGetDriverVersion");
  cuda_ = symbol<int(int*)>("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion");
  ready_ = init && init() == 0;
}

Nvml::~Nvml() {
  if (ready_ && shutdown_) { shutdown_(); }
  if (library_) { ::dlclose(library_); }
}

template <typename Function>
Function* Nvml::symbol(const char* name, const char* older_name) const {
  void* address = ::dlsym(library_, name);
  if (!address && older_name) { address = ::dlsym(library_, older_name); }
  return reinterpret_cast<Function*>(address);
}

std::optional<unsigned> Nvml::gpu_count() const {
  unsigned count = 0;
  if (!ready_ || !count_ || count_(&count) != 0) { return std::nullopt; }
  return count;
}

std::optional<std::vector<std::string>> Nvml::uuids(unsigned count) const {
  if (!ready_ || !handle_ || !uuid_) { return std::nullopt; }
  std::vector<std::string> found;
  for (unsigned i = 0; i < count; ++i) {
    void* device = nullptr;
    std::array<char, 97> text{};  // NVML's own limit is 96 bytes
    if (handle_(i, &device) != 0 || uuid_(device, text.data(), text.size() - 1) != 0) { return std::nullopt; }
    found.emplace_back(text.data());
  }
  return found;
}

std::optional<std::vector<std::string>> Nvml::pci_addresses(unsigned count) const {
  if (!ready_ || !handle_ || !pci_) { return std::nullopt; }
  std::vector<std::string> found;
  for (unsigned i = 0; i < count; ++i) {
    void* device = nullptr;
    PciInfo info{};
    if (handle_(i, &device) != 0 || pci_(device, &info) != 0) { return std::nullopt; }
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.0", info.domain, info.bus, info.device);
    found.emplace_back(text.data());
  }
  return found;
}

std::optional<std::int64_t> Nvml::least_memory() const {
  const unsigned count = gpu_count().value_or(0);
  if (!handle_ || !memory_) { return std::nullopt; }
  std::optional<std::int64_t> least;
  for (unsigned i = 0; i < count; ++i) {
    void* device = nullptr;
    Memory memory{};
    if (handle_(i, &device) != 0 || memory_(device, &memory) != 0) { return std::nullopt; }
    const auto total = static_cast<std::int64_t>(memory.total);
    least = std::min(least.value_or(total), total);
  }
  return least;
}

std::optional<std::string> Nvml::driver_version() const {
  std::array<char, 97> text{};
  if (!ready_ || !driver_ || driver_(text.data(), text.size() - 1) != 0) { return std::nullopt; }
  return text.data();
}

std::optional<int> Nvml::cuda_version() const {
  int version = 0;
  if (!ready_ || !cuda_ || cuda_(&version) != 0 || version <= 0) { return std::nullopt; }
  return version;
}

}  // namespace mdl::nvidia
