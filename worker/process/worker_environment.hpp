#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mdl::worker::process {

/// What a launcher (mdl-launch, torchrun, accelerate) tells each worker through its environment.
struct WorkerEnvironment {
  int rank = 0;
  int world_size = 1;
  int local_rank = 0;
  int local_world_size = 1;  ///< workers on this host; world_size when the launcher does not say
  std::string master_addr;
  uint16_t master_port = 0;
  bool launcher_has_store = false;  ///< TORCHELASTIC_USE_AGENT_STORE: the launcher serves the store; else rank 0 does
  std::string store_prefix;  ///< keeps the keys of one restart apart from those of the last; empty on several nodes,
                             ///< where mdl-launch empties the workers' store between rounds

  bool several_hosts() const { return local_world_size < world_size; }
};

/// How long a rank waits for the others in one operation, unless it is told otherwise: as torch's process groups do.
inline constexpr std::chrono::minutes kDefaultDdpTimeout{30};

/// The value of an environment variable, or nothing when it is unset or empty.
using Lookup = std::function<std::optional<std::string>(const char* name)>;

std::optional<std::string> lookup_environment(const char* name);

/// Whether an environment variable is 1: not when it is 0, empty or unset. Throws UsageError with `meaning` for
/// anything else.
bool lookup_switch(const char* name, const char* meaning, const Lookup& lookup = lookup_environment);

/// Reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT as torch's env:// rendezvous does. Nothing when
/// neither RANK nor WORLD_SIZE is set: the program was started by hand. Throws UsageError naming the variable that is
/// missing or makes no sense.
std::optional<WorkerEnvironment> read_worker_environment(const Lookup& lookup = lookup_environment);

}  // namespace mdl::worker::process
