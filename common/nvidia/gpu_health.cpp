#include "common/nvidia/gpu_health.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

namespace mdl::nvidia {
namespace {

// nvml.h: NVML_MEMORY_ERROR_TYPE_CORRECTED and _UNCORRECTED, NVML_VOLATILE_ECC, nvmlEventTypeXidCriticalError.
constexpr int kCorrected = 0, kUncorrected = 1, kSinceDriverStart = 0;
constexpr unsigned long long kXidEvent = 8;
constexpr int kMostEvents = 1000;
constexpr int kCoreTemperature = 0, kMultiprocessors = 1;  // NVML_TEMPERATURE_GPU, NVML_CLOCK_SM

/// nvmlClocksThrottleReason…, but those of an idle GPU, of limits that the user has set, and of the power limit, which
/// a busy GPU is mostly at.
struct SlowingReason {
  unsigned long long bit;
  const char* name;
};
constexpr std::array<SlowingReason, 4> kSlowingReasons = {{
    {0x20, "heat (the driver)"},
    {0x40, "heat (the hardware)"},
    {0x80, "the power supply"},
    {0x10, "another GPU of its group"},
}};
constexpr unsigned long long kHardwareSlowdown = 0x8, kHeatOrPower = 0x40 | 0x80;

std::int64_t as_count(unsigned long long number) {
  return static_cast<std::int64_t>(std::min<unsigned long long>(number, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace

/// nvmlEventData_t.
struct GpuHealth::Event {
  void* device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};

/// nvmlMemory_t.
struct GpuHealth::MemoryInfo {
  unsigned long long total, free, used;
};

/// How nvmlPciInfo_t begins.
struct GpuHealth::PciInfo {
  char short_address[16];
  unsigned domain, bus, device;
  char rest[256];
};

// nvmlReturn_t is an int, and 0 means success.
GpuHealth::GpuHealth(const std::string& uuid) : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
  if (!library_) { return; }
  auto* const init = symbol<int()>("nvmlInit_v2", "nvmlInit");
  auto* const find = symbol<int(const char*, void**)>("nvmlDeviceGetHandleByUUID");
  ready_ = init && init() == 0;
  if (!ready_ || !find || find(uuid.c_str(), &device_) != 0) {
    device_ = nullptr;
    return;
  }
  listen();
}

GpuHealth::~GpuHealth() {
  if (!library_) { return; }
  if (auto* const free_events = symbol<int(void*)>("nvmlEventSetFree"); events_ && free_events) {
    free_events(events_);
  }
  if (auto* const shutdown = symbol<int()>("nvmlShutdown"); ready_ && shutdown) { shutdown(); }
  ::dlclose(library_);
}

void GpuHealth::listen() {
  auto* const create = symbol<int(void**)>("nvmlEventSetCreate");
  auto* const add = symbol<int(void*, unsigned long long, void*)>("nvmlDeviceRegisterEvents");
  auto* const free_events = symbol<int(void*)>("nvmlEventSetFree");
  if (!create || !add || !free_events || create(&events_) != 0) {
    events_ = nullptr;
  } else if (add(device_, kXidEvent, events_) != 0) {
    free_events(events_);
    events_ = nullptr;
  }
}

template <typename Function>
Function* GpuHealth::symbol(const char* name, const char* older_name) const {
  void* address = library_ ? ::dlsym(library_, name) : nullptr;
  if (library_ && !address && older_name) { address = ::dlsym(library_, older_name); }
  return reinterpret_cast<Function*>(address);
}

std::optional<std::string> GpuHealth::name() const {
  auto* const ask = symbol<int(void*, char*, unsigned)>("nvmlDeviceGetName");
  std::array<char, 97> text{};
  if (!device_ || !ask || ask(device_, text.data(), text.size() - 1) != 0) { return std::nullopt; }
  return text.data();
}

std::optional<std::string> GpuHealth::pci_address() const {
  auto* const ask = symbol<int(void*, PciInfo*)>("nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2");
  PciInfo info{};
  if (!device_ || !ask || ask(device_, &info) != 0) { return std::nullopt; }
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04x:%02x:%02x", info.domain, info.bus, info.device);
  return text.data();
}

std::optional<GpuHealth::Memory> GpuHealth::memory() const {
  auto* const ask = symbol<int(void*, MemoryInfo*)>("nvmlDeviceGetMemoryInfo");
  MemoryInfo info{};
  if (!device_ || !ask || ask(device_, &info) != 0) { return std::nullopt; }
  return Memory{as_count(info.free), as_count(info.total)};
}

std::optional<GpuHealth::EccErrors> GpuHealth::ecc_errors() const {
  auto* const ask = symbol<int(void*, int, int, unsigned long long*)>("nvmlDeviceGetTotalEccErrors");
  unsigned long long corrected = 0, uncorrected = 0;
  if (!device_ || !ask || ask(device_, kCorrected, kSinceDriverStart, &corrected) != 0 ||
      ask(device_, kUncorrected, kSinceDriverStart, &uncorrected) != 0) {
    return std::nullopt;
  }
  return EccErrors{as_count(corrected), as_count(uncorrected)};
}

std::optional<bool> GpuHealth::rows_pending() const {
  auto* const ask = symbol<int(void*, unsigned*, unsigned*, unsigned*, unsigned*)>("nvmlDeviceGetRemappedRows");
  unsigned corrected = 0, uncorrected = 0, pending = 0, failed = 0;
  if (!device_ || !ask || ask(device_, &corrected, &uncorrected, &pending, &failed) != 0) { return std::nullopt; }
  return pending > 0 || failed > 0;
}

GpuHealth::Condition GpuHealth::condition() const {
  auto* const temperature = symbol<int(void*, int, unsigned*)>("nvmlDeviceGetTemperature");
  auto* const clock = symbol<int(void*, int, unsigned*)>("nvmlDeviceGetClockInfo");
  auto* const highest = symbol<int(void*, int, unsigned*)>("nvmlDeviceGetMaxClockInfo");
  auto* const reasons = symbol<int(void*, unsigned long long*)>("nvmlDeviceGetCurrentClocksEventReasons",
                                                                "nvmlDeviceGetCurrentClocksThrottleReasons");
  Condition condition;
  const auto ask = [&](auto* function, int what) {
    unsigned value = 0;
    const bool known = device_ && function && function(device_, what, &value) == 0;
    return known ? std::optional(static_cast<int>(std::min(value, 1'000'000U))) : std::nullopt;
  };
  condition.celsius = ask(temperature, kCoreTemperature);
  condition.clock = ask(clock, kMultiprocessors);
  condition.highest_clock = ask(highest, kMultiprocessors);
  unsigned long long bits = 0;
  if (!device_ || !reasons || reasons(device_, &bits) != 0) { return condition; }
  for (const SlowingReason& reason : kSlowingReasons) {
    if (bits & reason.bit) { condition.slowed_by.emplace_back(reason.name); }
  }
  if ((bits & kHardwareSlowdown) && !(bits & kHeatOrPower)) { condition.slowed_by.emplace_back("the hardware"); }
  return condition;
}

std::optional<std::vector<std::int64_t>> GpuHealth::xid_errors() {
  auto* const wait = symbol<int(void*, Event*, unsigned)>("nvmlEventSetWait_v2", "nvmlEventSetWait");
  if (!events_ || !wait) { return std::nullopt; }
  std::vector<std::int64_t> numbers;
  for (Event event{}; std::ssize(numbers) < kMostEvents && wait(events_, &event, /*milliseconds=*/0) == 0;) {
    numbers.push_back(as_count(event.data));
  }
  return numbers;
}

}  // namespace mdl::nvidia
