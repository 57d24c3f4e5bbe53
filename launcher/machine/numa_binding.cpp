#include "launcher/machine/numa_binding.hpp"

#include <algorithm>
#include <iterator>
#include <map>

#include "common/error.hpp"
#include "common/join.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::machine {
namespace {

CpuSet both(const CpuSet& a, const CpuSet& b) {
  CpuSet common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(common, common.end()));
  return common;
}

CpuSet of_socket(int node, const CpuSet& allowed, const CpuTopology& topology) {
  const CpuSet own = both(topology.cpus_of_node(node), allowed);
  if (own.empty()) { return {}; }
  const int socket = topology.socket_of(*own.begin());
  CpuSet cpus;
  for (const int other : topology.nodes()) {
    if (other != node && !std::filesystem::exists(topology.folder_of_node(other))) {
      continue;  // possible, not there
    }
    const CpuSet there = both(topology.cpus_of_node(other), allowed);
    if (!there.empty() && topology.socket_of(*there.begin()) == socket) { cpus.insert(there.begin(), there.end()); }
  }
  return cpus;
}

/// Share `index` of `count`: the cores are dealt out in stretches, and the first GPUs get the cores that are left over.
CpuSet exclusive_share(const CpuSet& cpus, std::size_t index, std::size_t count, const CpuTopology& topology) {
  std::map<int, CpuSet> cores;  // by the lowest CPU of each
  for (const int cpu : cpus) { cores[*topology.core_of(cpu).begin()].insert(cpu); }
  if (cores.size() < count) {
    throw Error(str_cat("--numa-binding exclusive: a NUMA node has ", counted(cores.size(), "usable core"), " for its ",
                        counted(count, "GPU"), ", so that not each can have one of its own"),
                "Give the job more CPUs, or use --numa-binding node.");
  }
  const std::size_t each = cores.size() / count;
  const std::size_t extra = cores.size() % count;
  const auto first = std::next(cores.begin(), static_cast<std::ptrdiff_t>(index * each + std::min(index, extra)));
  const auto last = std::next(first, static_cast<std::ptrdiff_t>(each + (index < extra ? 1 : 0)));
  CpuSet share;
  for (auto core = first; core != last; ++core) { share.insert(core->second.begin(), core->second.end()); }
  return share;
}

/// Complex `index` (over and over again) of those that `cpus` belong to: the ones with most usable CPUs come first.
CpuSet core_complex(const CpuSet& cpus, std::size_t index, const CpuTopology& topology) {
  std::map<int, CpuSet> by_cache;
  for (const int cpu : cpus) { by_cache[*topology.cache_of(cpu).begin()].insert(cpu); }
  std::vector<CpuSet> complexes;
  for (auto& [lowest, shared] : by_cache) { complexes.push_back(std::move(shared)); }
  std::stable_sort(complexes.begin(), complexes.end(),
                   [](const CpuSet& a, const CpuSet& b) { return a.size() > b.size(); });
  return complexes.empty() ? CpuSet{} : complexes[index % complexes.size()];
}

}  // namespace

std::optional<NumaBinding> parse_numa_binding(const std::string& word) {
  if (word == "node") { return NumaBinding::node; }
  if (word == "socket") { return NumaBinding::socket; }
  if (word == "exclusive") { return NumaBinding::exclusive; }
  if (word == "core-complex") { return NumaBinding::core_complex; }
  return std::nullopt;
}

CpuSet cpus_near_gpu(NumaBinding binding, std::size_t gpu, const std::vector<std::string>& gpus, const CpuSet& allowed,
                     const CpuTopology& topology) {
  const int node = topology.node_of_device(gpus.at(gpu));
  std::size_t before = 0;  // GPUs of the same node that come earlier
  std::size_t neighbours = 0;
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (topology.node_of_device(gpus[i]) != node) { continue; }
    ++neighbours;
    if (i < gpu) { ++before; }
  }
  CpuSet cpus;
  if (binding == NumaBinding::socket) {
    cpus = of_socket(node, allowed, topology);
  } else {
    cpus = both(topology.cpus_of_node(node), allowed);
    if (!cpus.empty() && binding == NumaBinding::exclusive) {
      cpus = exclusive_share(cpus, before, neighbours, topology);
    }
    if (!cpus.empty() && binding == NumaBinding::core_complex) { cpus = core_complex(cpus, before, topology); }
  }
  if (cpus.empty()) {
    throw Error(str_cat("--numa-binding: this process may use no CPU of NUMA node ", node, ", where GPU ", gpu, " (",
                        gpus[gpu], ") is"),
                "Ask for CPUs of that node (numactl --show tells which there are), or leave --numa-binding out.");
  }
  return cpus;
}

std::vector<CpuSet> bind_workers(NumaBinding binding, int workers, const std::optional<std::string>& visible,
                                 const GpuInventory& gpus, const CpuTopology& topology) {
  const auto count = static_cast<std::size_t>(workers);
  if (gpus.count == 0) {
    throw Error("--numa-binding: no GPU found on this machine (asked NVML, then /proc/driver/nvidia/gpus)",
                "Workers are bound to the CPUs near their GPUs. Without GPUs leave the option out.");
  }
  const auto positions = visible_positions(visible, gpus);
  if (!positions || !gpus.pci_addresses) {
    throw Error(str_cat("--numa-binding: where the job's GPUs are is not known (asked ", gpus.source, ")"),
                "Name whole GPUs in CUDA_VISIBLE_DEVICES by index, or leave --numa-binding out.");
  }
  if (positions->size() < count) {
    throw Error(str_cat("--numa-binding: ", counted(count, "worker"), ", but only ", counted(positions->size(), "GPU"),
                        count == 1 ? " for it" : " for them"),
                "Each worker is bound to the CPUs near its own GPU: start one for each (--nproc-per-node gpu).");
  }
  std::vector<std::string> addresses;
  for (const std::size_t position : *positions) { addresses.push_back(gpus.pci_addresses->at(position)); }
  const CpuSet allowed = usable_cpus();
  std::vector<CpuSet> bound;
  for (std::size_t worker = 0; worker < count; ++worker) {
    bound.push_back(cpus_near_gpu(binding, worker, addresses, allowed, topology));
  }
  return bound;
}

}  // namespace mdl::launcher::machine
