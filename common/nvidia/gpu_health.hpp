#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mdl::nvidia {

/// What the driver has counted of one GPU, and what it tells of it from now on (NVML). It needs no CUDA. Every question
/// has no answer where there is no driver, or where it or the GPU does not count that.
class GpuHealth {
 public:
  struct Memory {
    std::int64_t free = 0, total = 0;  ///< bytes
  };
  /// ECC errors since the driver was loaded.
  struct EccErrors {
    std::int64_t corrected = 0, uncorrected = 0;
  };

  /// How fast it runs just now, and what keeps it from running faster.
  struct Condition {
    std::optional<int> celsius{};
    std::optional<int> clock{}, highest_clock{};  ///< MHz, of its multiprocessors
    std::vector<std::string> slowed_by{};         ///< "heat", "the power supply"; nothing of what is normal
  };

  /// `uuid`: "GPU-…". Begins to listen for Xid errors.
  explicit GpuHealth(const std::string& uuid);
  ~GpuHealth();
  GpuHealth(const GpuHealth&) = delete;
  GpuHealth& operator=(const GpuHealth&) = delete;

  /// Whether the driver knows this GPU.
  bool is_known() const { return device_ != nullptr; }
  std::optional<std::string> name() const;         ///< "NVIDIA H200"
  std::optional<std::string> pci_address() const;  ///< "0000:dc:00", as in the kernel's log
  std::optional<Memory> memory() const;
  std::optional<EccErrors> ecc_errors() const;
  /// Whether rows of memory that are broken wait for the next reset of the GPU to be replaced.
  std::optional<bool> rows_pending() const;
  Condition condition() const;
  /// The Xid errors that have come since the last call, the first time since the object was made.
  std::optional<std::vector<std::int64_t>> xid_errors();

 private:
  struct Event;
  struct MemoryInfo;
  struct PciInfo;
  template <typename Function>
  Function* symbol(const char* name, const char* older_name = nullptr) const;
  void listen();

  void* library_;
  void* device_ = nullptr;
  void* events_ = nullptr;
  bool ready_ = false;
};

}  // namespace mdl::nvidia
