#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::launcher::accelerate {

/// The kinds of set-up that need no Python engine. The names in files: NO, MULTI_CPU, MULTI_GPU.
enum class DistributedType { no, multi_cpu, multi_gpu };

/// The name as files have it: "NO", "MULTI_CPU", "MULTI_GPU".
std::string_view name_of(DistributedType type);

/// What `mixed_precision`, `dynamo_backend` and `dynamo_mode` may be, as options have it (accelerate 1.15.0,
/// utils/dataclasses.py). A file has dynamo's backends in capitals.
const std::vector<std::string>& mixed_precision_names();
const std::vector<std::string>& dynamo_backend_names();
const std::vector<std::string>& dynamo_mode_names();

/// This node's rank is to be found in the node's own environment; see machine_rank.hpp.
inline constexpr int kMachineRankAuto = -1;

/// A configuration file as `accelerate config` writes it; the defaults are those of accelerate 1.15.0's ClusterConfig.
/// An empty optional is a key that is absent or null.
struct ClusterConfig {
  std::filesystem::path file;
  DistributedType distributed_type = DistributedType::no;
  std::optional<int> num_processes;  ///< the total over all machines
  int num_machines = 1;
  int machine_rank = 0;  ///< or kMachineRankAuto, written `auto` (mdl-launch only)
  std::optional<std::string> main_process_ip;
  std::optional<int> main_process_port;
  std::string rdzv_backend = "static";
  bool same_network = false;
  std::optional<std::string> gpu_ids;  ///< "all" or comma-separated
  std::optional<std::string> mixed_precision;
  bool use_cpu = false;
  bool debug = false;
  bool enable_cpu_affinity = false;
  std::map<std::string, std::string> dynamo;  ///< dynamo_backend, …; values as Python's str() prints them
  std::map<std::string, int> lines;           ///< key -> its line in `file`, from 1

  std::vector<std::string> warnings;  ///< what accelerate accepts but the user hardly means

  /// "conf.yaml:7", or the file alone for a key that is not there.
  std::string place_of(const std::string& key) const;
};

/// Reads the file; `.json` works too. Throws UsageError with file, line and the remedy for: an unreadable file, no
/// YAML, unknown or misspelt keys (all at once, each with the nearest known one), a missing distributed_type, a value
/// of the wrong type, and everything that needs a Python engine (DeepSpeed, FSDP, Megatron-LM, TPU, SageMaker, mpirun,
/// FP8, parallelism_config, other accelerators).
ClusterConfig load_config(const std::filesystem::path& file);

/// The same for a text in memory; `file` only names it in messages.
ClusterConfig parse_config(const std::string& text, const std::filesystem::path& file);

}  // namespace mdl::launcher::accelerate
