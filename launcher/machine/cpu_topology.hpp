#pragma once

#include <sched.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace mdl::launcher::machine {

/// Logical CPUs by Linux's numbers.
using CpuSet = std::set<int>;

/// "0-2,4" as the kernel writes lists of CPUs and nodes. Throws Error for what is no such list.
CpuSet parse_cpu_list(const std::string& text);

/// sched_getaffinity() for the caller: fills a mask of that many bytes and returns true, or false if it is too short.
using AffinityQuestion = std::function<bool(std::size_t bytes, cpu_set_t* mask)>;

/// The CPUs that this process may run on, also on a machine with more than the 1,024 that a cpu_set_t holds. Throws
/// Error when the kernel does not say.
CpuSet usable_cpus();
/// The same of a kernel that answers as `ask` does.
CpuSet usable_cpus(const AffinityQuestion& ask);

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
  /// How many cores the machine has, whatever their threads, as psutil counts them; 0 where the kernel does not tell.
  int core_count() const;
  /// The CPUs that are threads of the same core, `cpu` among them.
  CpuSet core_of(int cpu) const;
  /// The CPUs that share `cpu`'s largest data cache.
  CpuSet cache_of(int cpu) const;

 private:
  std::string read(const std::filesystem::path& file) const;
  std::filesystem::path of_cpu(int cpu) const;

  std::filesystem::path root_;
};

}  // namespace mdl::launcher::machine
