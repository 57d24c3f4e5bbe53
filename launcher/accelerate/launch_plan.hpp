#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "launcher/accelerate/cluster_config.hpp"
#include "launcher/accelerate/launch_options.hpp"
#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::accelerate {

/// What is to be started on this node: plain data, decided completely.
struct LaunchPlan {
  /// multi: `nproc_per_node` workers under the agent, as accelerate hands them to torchrun. simple: the program itself,
  /// once, without any rendezvous (accelerate does so for distributed_type NO and MULTI_CPU and for --cpu).
  enum class Kind { simple, multi };

  Kind kind = Kind::simple;
  std::optional<std::string> config_file;  ///< the file that was read
  int num_processes = 1;                   ///< in total
  int num_machines = 1;
  std::optional<int> machine_rank;  ///< empty: the c10d rendezvous gives it
  int nproc_per_node = 1;
  std::string rdzv_backend = "static";
  std::optional<std::string> rdzv_endpoint;  ///< host:port
  std::optional<std::string> master_addr;    ///< used instead of rdzv_endpoint with --same-network
  std::optional<int> master_port;
  bool standalone = false;                         ///< a free port of its own, because the wanted one is taken
  LaunchOptions options;                           ///< role, tee, restarts and so on, as given
  std::map<std::string, std::string> environment;  ///< added to the launcher's own for the workers
  std::vector<std::string> warnings;
  std::vector<UsageError> problems;  ///< why the job would fail here; a launch stops with them, --dry-run shows them

  /// A multi plan as arguments of the launcher itself, program and all: `--nnodes 2 --nproc-per-node 4 …`. Options that
  /// accelerate leaves open stay open, so that their PET_* variables work as they do under accelerate.
  std::vector<std::string> launcher_arguments() const;

  /// A simple plan as the command to run: `python -u` or `-m` is put before the program as the options say.
  std::vector<std::string> simple_command(const std::string& python) const;

  /// For --dry-run. `launch` holds the fields that accelerate sets for torchrun, with its names and types.
  nlohmann::ordered_json to_json() const;
};

/// Resolves the command line over the file (null: no file) over the defaults and the environment, as accelerate 1.15.0
/// does in _validate_launch_command, prepare_multi_gpu_env and prepare_simple_launcher_cmd_env. As there, num_processes
/// is the total, and the file's rdzv_backend, same_network and enable_cpu_affinity have no effect: the command line's
/// own defaults stand before them; a warning says so where it matters. Throws UsageError for what cannot be resolved.
LaunchPlan resolve_plan(const LaunchOptions& options, const ClusterConfig* config, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
