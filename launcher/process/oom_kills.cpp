#include "launcher/process/oom_kills.hpp"

#include <fstream>
#include <string>

namespace mdl::launcher::process {

std::optional<std::int64_t> oom_kills() {
  std::ifstream file("/proc/vmstat");
  std::string name;
  std::int64_t value = 0;
  while (file >> name >> value) {
    if (name == "oom_kill") { return value; }
  }
  return std::nullopt;
}

}  // namespace mdl::launcher::process
