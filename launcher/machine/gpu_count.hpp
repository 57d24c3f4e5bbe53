#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mdl::launcher::machine {

/// The GPUs that this machine's driver reports, by whatever could be asked.
struct GpuInventory {
  int count = 0;
  std::optional<std::vector<std::string>> uuids;          ///< in the driver's order; nullopt where they are not known
  std::string source;                                     ///< for messages: "NVML", "/proc/driver/nvidia", …
  std::optional<std::vector<std::string>> pci_addresses;  ///< "0000:dc:00.0", in the same order, as /sys names them
};

/// How many GPUs a CUDA program sees on a machine with `gpus` when CUDA_VISIBLE_DEVICES is `visible` (nullopt: not
/// set). The rules are CUDA's, as torch.cuda.device_count() applies them: indices or UUIDs (GPU-…, a unique beginning
/// is enough) up to the first that is not valid; a repeated one makes the list empty; empty and -1 mean none. Of MIG-…
/// names a process sees only the first.
int visible_gpus(const std::optional<std::string>& visible, const GpuInventory& gpus);

/// The same GPUs as positions in the driver's order; nullopt where CUDA_VISIBLE_DEVICES does not say (parts of a GPU,
/// or UUIDs where the driver's are not known).
std::optional<std::vector<std::size_t>> visible_positions(const std::optional<std::string>& visible,
                                                          const GpuInventory& gpus);

/// Asks the driver without CUDA: NVML (libnvidia-ml.so.1, loaded for the question only), else /proc/driver/nvidia/gpus.
GpuInventory find_gpus();

/// The number of workers that `--nproc-per-node` asks for on this machine: a number, "cpu" (CPUs this process may use),
/// "gpu", or "auto" (gpu where there is one, else cpu). Throws Error when "gpu" finds none, UsageError for other words.
int count_workers(const std::string& nproc_per_node, const std::optional<std::string>& cuda_visible_devices);

/// The same for a number alone.
int parse_worker_count(const std::string& nproc_per_node);

}  // namespace mdl::launcher::machine
