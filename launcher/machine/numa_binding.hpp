#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/machine/cpu_topology.hpp"
#include "launcher/machine/gpu_count.hpp"

namespace mdl::launcher::machine {

/// Which CPUs near its GPU a worker runs on. The choices and their meaning are torch's (torch/numa/binding.py of 2.15).
enum class NumaBinding {
  node,          ///< all of the GPU's NUMA node
  socket,        ///< all NUMA nodes of the socket that the GPU's node is on
  exclusive,     ///< the GPU's share of its node's cores, no core for two GPUs
  core_complex,  ///< cores of its node that share a last-level cache, another for each GPU as long as there are
};

/// "node", "socket", "exclusive" or "core-complex"; nullopt for another word.
std::optional<NumaBinding> parse_numa_binding(const std::string& word);

/// The CPUs for GPU `gpu` of `gpus` (PCI addresses of the GPUs that the workers see, in their order), out of those
/// that are `allowed`. Throws Error when none is left, or fewer cores than GPUs where each needs its own.
CpuSet cpus_near_gpu(NumaBinding binding, std::size_t gpu, const std::vector<std::string>& gpus, const CpuSet& allowed,
                     const CpuTopology& topology);

/// The CPUs of each of `workers` workers: worker i's are those near GPU i of the ones that CUDA_VISIBLE_DEVICES
/// (`visible`) leaves. CUDA is taken to number GPUs as the driver does, which holds for GPUs of one kind and with
/// CUDA_DEVICE_ORDER=PCI_BUS_ID. Throws Error when a worker has no GPU, or it is not known where a GPU is.
std::vector<CpuSet> bind_workers(NumaBinding binding, int workers, const std::optional<std::string>& visible,
                                 const GpuInventory& gpus, const CpuTopology& topology);

}  // namespace mdl::launcher::machine
