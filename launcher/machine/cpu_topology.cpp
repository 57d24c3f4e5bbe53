#include "launcher/machine/cpu_topology.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "common/error.hpp"
#include "common/parse_number.hpp"
#include "common/str_cat.hpp"
#include "common/trimmed.hpp"

namespace mdl::launcher::machine {
namespace {

namespace fs = std::filesystem;

constexpr int kMostCpus = 1 << 16;  // far above what Linux supports (8192); keeps a broken list from filling the memory

/// One number of `whole`; the NUMA node of a device that has none is -1.
int number_in(const std::string& text, const std::string& whole) {
  const bool negative = text.starts_with('-');
  const auto value = parse_digits<int>(std::string_view(text).substr(negative ? 1 : 0));
  if (!value) {
    throw Error(str_cat("\"", trimmed(whole), "\" is no number or list of numbers as the kernel writes them"));
  }
  return negative ? -*value : *value;
}

}  // namespace

CpuSet parse_cpu_list(const std::string& text) {
  CpuSet cpus;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const std::string range = trimmed(text.substr(begin, comma - begin));
    begin = comma + 1;
    if (range.empty()) { continue; }
    const std::size_t dash = range.find('-', 1);
    const int first = number_in(range.substr(0, dash), text);
    const int last = dash == std::string::npos ? first : number_in(range.substr(dash + 1), text);
    if (first < 0 || last < first || last >= kMostCpus) { throw Error(str_cat("\"", range, "\" is no range of CPUs")); }
    for (int cpu = first; cpu <= last; ++cpu) { cpus.insert(cpu); }
  }
  return cpus;
}

CpuSet usable_cpus() {
  return usable_cpus([](std::size_t bytes, cpu_set_t* mask) { return ::sched_getaffinity(0, bytes, mask) == 0; });
}

CpuSet usable_cpus(const AffinityQuestion& ask) {
  // The kernel refuses a mask that is shorter than its own.
  for (int size = 1024; size <= kMostCpus; size *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(CPU_ALLOC(size), [](cpu_set_t* set) { CPU_FREE(set); });
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    if (!ask(bytes, mask.get())) { continue; }
    CpuSet cpus;
    for (int cpu = 0; cpu < size; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, mask.get())) { cpus.insert(cpu); }
    }
    return cpus;
  }
  throw Error("the kernel does not say which CPUs this process may use");
}

int CpuTopology::node_of_device(const std::string& pci_address) const {
  const std::string text = read(fs::path("bus/pci/devices") / pci_address / "numa_node");
  return std::max(0, number_in(text, text));
}

CpuSet CpuTopology::cpus_of_node(int node) const {
  return parse_cpu_list(read(str_cat("devices/system/node/node", node, "/cpulist")));
}

fs::path CpuTopology::folder_of_node(int node) const {
  return root_ / str_cat("devices/system/node/node", node);
}

CpuSet CpuTopology::nodes() const {
  return parse_cpu_list(read("devices/system/node/possible"));
}

int CpuTopology::socket_of(int cpu) const {
  const std::string text = read(of_cpu(cpu) / "topology/physical_package_id");
  return number_in(text, text);
}

int CpuTopology::core_count() const {
  // Older kernels have only the second name. A CPU that is switched off has no such file.
  for (const char* name : {"core_cpus_list", "thread_siblings_list"}) {
    std::set<std::string> cores;
    std::error_code ignored;
    for (const auto& cpu : fs::directory_iterator(root_ / "devices/system/cpu", ignored)) {
      std::ifstream file(cpu.path() / "topology" / name);
      std::string threads;
      if (std::getline(file, threads)) { cores.insert(threads); }
    }
    if (!cores.empty()) { return static_cast<int>(cores.size()); }
  }
  return 0;
}

CpuSet CpuTopology::core_of(int cpu) const {
  return parse_cpu_list(read(of_cpu(cpu) / "topology/thread_siblings_list"));
}

CpuSet CpuTopology::cache_of(int cpu) const {
  int highest = -1;
  CpuSet cpus;
  // The kernel numbers a CPU's caches from 0 on.
  for (int i = 0; fs::exists(root_ / of_cpu(cpu) / str_cat("cache/index", i)); ++i) {
    const fs::path cache = of_cpu(cpu) / str_cat("cache/index", i);
    const std::string type = read(cache / "type");
    if (type != "Unified" && type != "Data") { continue; }
    const std::string level_text = read(cache / "level");
    const int level = number_in(level_text, level_text);
    if (level <= highest) { continue; }
    highest = level;
    cpus = parse_cpu_list(read(cache / "shared_cpu_list"));
  }
  if (cpus.empty()) { throw Error(str_cat((root_ / of_cpu(cpu) / "cache").string(), " describes no data cache")); }
  return cpus;
}

std::string CpuTopology::read(const fs::path& file) const {
  std::ifstream stream(root_ / file);
  std::string text;
  if (!std::getline(stream, text, '\0') && text.empty()) {
    throw Error(str_cat("cannot read ", (root_ / file).string(), ", which says where processors and devices are"));
  }
  return trimmed(text);
}

fs::path CpuTopology::of_cpu(int cpu) const {
  return str_cat("devices/system/cpu/cpu", cpu);
}

}  // namespace mdl::launcher::machine
