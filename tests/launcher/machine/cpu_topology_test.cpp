#include "launcher/machine/cpu_topology.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;
namespace fs = std::filesystem;

namespace {

/// A made-up /sys with CPUs that are threads of cores.
struct Machine {
  test::TempDir folder;

  void add_cpu(int cpu, const std::string& file, const std::string& threads) {
    const fs::path topology = folder.path() / str_cat("devices/system/cpu/cpu", cpu) / "topology";
    fs::create_directories(topology);
    std::ofstream(topology / file) << threads << "\n";
  }
  int cores() const { return CpuTopology(folder.path()).core_count(); }
};

/// A kernel with masks of `bits` CPUs that lets this process run on `cpus`. It refuses shorter masks, as Linux does.
AffinityQuestion kernel(std::size_t bits, CpuSet cpus) {
  return [bits, cpus = std::move(cpus)](std::size_t bytes, cpu_set_t* mask) {
    if (bytes * 8 < bits) { return false; }
    CPU_ZERO_S(bytes, mask);
    for (const int cpu : cpus) { CPU_SET_S(cpu, bytes, mask); }
    return true;
  };
}

}  // namespace

TEST_CASE("lists of CPUs are read as the kernel writes them") {
  CHECK(parse_cpu_list("0-2,4\n") == CpuSet{0, 1, 2, 4});
  CHECK(parse_cpu_list("") == CpuSet{});
  for (const char* text : {"a", "1-", "3-1", "-1", "0-70000", "1 2"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_cpu_list(text), Error);
  }
}

TEST_CASE("a device has a NUMA node, or -1 on a machine that has none") {
  Machine machine;
  const auto device = [&](const char* node) {
    const fs::path folder = machine.folder.path() / "bus/pci/devices/0000:00:00.0";
    fs::create_directories(folder);
    std::ofstream(folder / "numa_node") << node << "\n";
    return CpuTopology(machine.folder.path()).node_of_device("0000:00:00.0");
  };
  CHECK(device("3") == 3);
  CHECK(device("-1") == device("0"));  // Linux has one node then
  CHECK_THROWS_AS(device("--1"), Error);
}

TEST_CASE("threads of one core count as one core, wherever the kernel writes them") {
  Machine machine;
  for (const int cpu : {0, 2}) { machine.add_cpu(cpu, "core_cpus_list", "0,2"); }
  for (const int cpu : {1, 3}) { machine.add_cpu(cpu, "core_cpus_list", "1,3"); }
  CHECK(machine.cores() == 2);
  // The old name does not count where the new one is there.
  machine.add_cpu(0, "thread_siblings_list", "0");
  CHECK(machine.cores() == 2);

  Machine old;
  for (int cpu = 0; cpu < 3; ++cpu) { old.add_cpu(cpu, "thread_siblings_list", std::to_string(cpu)); }
  fs::create_directories(old.folder.path() / "devices/system/cpu/cpufreq");
  CHECK(old.cores() == 3);
}

TEST_CASE("a kernel that tells nothing of cores is told from one with a core") {
  CHECK(Machine().cores() == 0);
}

TEST_CASE("the CPUs of a process are counted on machines of any size") {
  CHECK(usable_cpus(kernel(64, {0, 5})) == CpuSet{0, 5});
  CHECK(usable_cpus(kernel(1024, {1023})) == CpuSet{1023});
  // More than a cpu_set_t holds.
  CHECK(usable_cpus(kernel(8192, {3, 1024, 5000, 8191})) == CpuSet{3, 1024, 5000, 8191});
  CHECK_THROWS_AS(usable_cpus([](std::size_t, cpu_set_t*) { return false; }), Error);
}

TEST_CASE("this process may run on at least one CPU") {
  CHECK_FALSE(usable_cpus().empty());
}
