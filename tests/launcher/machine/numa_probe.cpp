// numa_probe ROOT MODE CPUS GPU ADDRESS…: the CPUs for GPU number GPU of those at the PCI addresses, on the machine
// that ROOT describes as /sys does; or "error". For tests/peer/launch/test_launch_numa.py.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "launcher/machine/numa_binding.hpp"

int main(int argc, char** argv) {
  using namespace mdl;
  using namespace mdl::launcher::machine;
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    const std::vector<std::string> addresses(words.begin() + 4, words.end());
    const CpuSet cpus = cpus_near_gpu(parse_numa_binding(words.at(1)).value(), std::stoul(words.at(3)), addresses,
                                      parse_cpu_list(words.at(2)), CpuTopology(words.at(0)));
    for (const int cpu : cpus) { std::printf("%d ", cpu); }
  } catch (const mdl::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::printf("error");
  }
}
