#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace mdl::launcher::machine {

/// Environment variables by name.
using Environment = std::map<std::string, std::string>;

/// What a plan needs to know of this machine. The functions are called only when the answer matters; tests give their
/// own.
struct MachineFacts {
  Environment environment;
  std::function<int()> gpu_count;       ///< NVIDIA GPUs that a process started now would see
  std::function<int()> physical_cores;  ///< cores without hyper-threads
  /// Who listens on this port of localhost: "nginx (process 77)", "another program" when that cannot be seen; nullopt
  /// when nobody does.
  std::function<std::optional<std::string>(int)> port_holder;
  std::function<int()> free_port;
};

}  // namespace mdl::launcher::machine
