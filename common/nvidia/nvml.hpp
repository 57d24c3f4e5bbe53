#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mdl::nvidia {

/// NVIDIA's management library (libnvidia-ml.so.1, which comes with the driver), loaded for as long as the object
/// lives. It needs no CUDA. Every question has no answer where there is no driver, or one that is too old for it.
class Nvml {
 public:
  Nvml();
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  std::optional<unsigned> gpu_count() const;
  /// "GPU-…" of each of `count` GPUs, in the driver's order.
  std::optional<std::vector<std::string>> uuids(unsigned count) const;
  /// "0000:dc:00.0" of each, as /sys names them.
  std::optional<std::vector<std::string>> pci_addresses(unsigned count) const;
  /// Bytes of memory of the GPU that has least.
  std::optional<std::int64_t> least_memory() const;
  std::optional<std::string> driver_version() const;  ///< "580.65.06"
  /// The newest CUDA that the driver runs, as CUDA writes versions: 13020 is 13.2. A package of forward compatibility
  /// counts.
  std::optional<int> cuda_version() const;

 private:
  struct PciInfo;
  struct Memory;
  template <typename Function>
  Function* symbol(const char* name, const char* older_name = nullptr) const;

  void* library_;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*handle_)(unsigned, void**) = nullptr;
  int (*uuid_)(void*, char*, unsigned) = nullptr;
  int (*pci_)(void*, PciInfo*) = nullptr;
  int (*memory_)(void*, Memory*) = nullptr;
  int (*driver_)(char*, unsigned) = nullptr;
  int (*cuda_)(int*) = nullptr;
  bool ready_ = false;
};

}  // namespace mdl::nvidia
