#include "worker/health/command/gpu_facts.hpp"

#include <optional>
#include <vector>

#include "common/error.hpp"
#include "common/nvidia/kernel_xids.hpp"

namespace mdl::worker::health::command {
namespace {

/// The numbers of the GPU's Xid errors, the last one last.
std::optional<std::vector<std::int64_t>> xids_of(nvidia::GpuHealth& gpu) {
  const auto address = gpu.pci_address();
  const auto logged = address ? nvidia::kernel_xids() : std::nullopt;
  if (!logged) { return gpu.xid_errors(); }
  std::vector<std::int64_t> numbers;
  for (const nvidia::Xid& xid : *logged) {
    if (xid.pci == *address) { numbers.push_back(xid.number); }
  }
  return numbers;
}

}  // namespace

HealthPart::Numbers gpu_memory(const nvidia::GpuHealth& gpu) {
  const auto memory = gpu.memory();
  if (!memory) { throw Error("the driver (NVML) does not tell of this GPU's memory"); }
  return {{"free_bytes", memory->free}, {"total_bytes", memory->total}};
}

HealthPart::Numbers gpu_errors(nvidia::GpuHealth& gpu) {
  HealthPart::Numbers numbers;
  if (const auto ecc = gpu.ecc_errors()) {
    numbers.emplace_back("ecc_corrected", ecc->corrected);
    numbers.emplace_back("ecc_uncorrected", ecc->uncorrected);
  }
  if (const auto pending = gpu.rows_pending()) { numbers.emplace_back("pending_rows", *pending ? 1 : 0); }
  if (const auto xids = xids_of(gpu)) {
    numbers.emplace_back("xid_errors", std::ssize(*xids));
    numbers.emplace_back("last_xid", xids->empty() ? 0 : xids->back());
  }
  if (numbers.empty()) { throw Error("the driver (NVML) does not tell of this GPU's errors"); }
  return numbers;
}

}  // namespace mdl::worker::health::command
