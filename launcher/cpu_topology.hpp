#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace mdl::launcher {

/// Logical CPUs by Linux's numbers.
using CpuSet = std::set<int>;

/// "0-2,4" as the kernel writes lists of CPUs and nodes. Throws Error for what is no such list.
CpuSet parse_cpu_list(const std::string& text);

/// The CPUs that this process may run on.
CpuSet usable_cpus();

/// The machine's processors as Linux describes them below /sys (Documentation/ABI/stable/sysfs-devices-node and
/// sysfs-devices-system-cpu). Every call reads; each throws Error naming the file that is not there or makes no sense.
class CpuTopology {
 public:
  explicit CpuTopology(std::filesystem::path root = "/sys") : root_(std::move(root)) {}

  /// The NUMA node of a PCI device ("0000:dc:00.0"); 0 where the machine has only one and the kernel says -1.
  int node_of_device(const std::string& pci_address) const;
  /// All CPUs of a NUMA node.
  CpuSet cpus_of_node(int node) const;
  std::filesystem::path folder_of_node(int node) const;
  /// NUMA nodes that this machine may have; not all need be there.
  CpuSet nodes() const;
  /// The physical package (socket) of a CPU.
  int socket_of(int cpu) const;
  /// The CPUs that are threads of the same core, `cpu` among them.
  CpuSet core_of(int cpu) const;
  /// The CPUs that share `cpu`'s largest data cache.
  CpuSet cache_of(int cpu) const;

 private:
  std::string read(const std::filesystem::path& file) const;
  std::filesystem::path of_cpu(int cpu) const;

  std::filesystem::path root_;
};

}  // namespace mdl::launcher
