#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/command_line/command_help.hpp"

namespace mdl::launcher::accelerate {

/// The command line of `accelerate launch`, as given. An empty optional was not given. Fields without a remark mean
/// what `accelerate launch --help` says.
struct LaunchOptions {
  std::optional<std::string> config_file;
  bool help = false;
  bool quiet = false;  ///< accepted; mdl-launch's report is short already
  bool cpu = false;
  bool multi_gpu = false;
  bool same_network = false;
  bool enable_cpu_affinity = false;
  bool debug = false;
  bool module = false;
  bool no_python = false;
  bool dry_run = false;  ///< mdl-launch only: print the plan as JSON and start nothing
  std::optional<std::string> mixed_precision;
  std::optional<int> num_processes;
  std::optional<int> num_machines;
  std::optional<int> num_cpu_threads_per_process;
  std::optional<int> machine_rank;  ///< or kMachineRankAuto, written `auto` (mdl-launch only)
  std::optional<std::string> main_process_ip;
  std::optional<int> main_process_port;
  std::optional<std::string> gpu_ids;
  std::map<std::string, std::string> dynamo;  ///< dynamo_backend …, those given, as Python's str() prints them
  std::string rdzv_backend = "static";
  std::string rdzv_conf;
  std::string tee = "0";
  std::optional<std::string> log_dir;
  std::string role = "default";
  int max_restarts = 0;
  std::string monitor_interval = "0.1";  ///< seconds, as written
  std::vector<std::string> passed_on;    ///< options that only torchrun has and that fit, such as --rdzv-id
  std::vector<std::string> program;      ///< the program, script or module, then its arguments
};

/// Parses what follows `mdl-launch launch`, by launch_option_table(): options are spelt with - or _, `--name value` or
/// `--name=value`; the first word that is no option is the program, and everything after it is the program's. Throws
/// UsageError for an unknown option (with the nearest), a bad value, and for every option of accelerate's that needs a
/// Python engine, saying which.
LaunchOptions parse_launch_options(const std::vector<std::string>& arguments);

/// Whether an option --config-file or --config_file stands among mdl-launch's own options, before the program.
/// `arguments` are those of a plain `mdl-launch …`, so torchrun's options are known here as well.
bool names_config_file(const std::vector<std::string>& arguments);

/// `mdl-launch launch`, as its --help tells it.
const command_line::CommandHelp& launch_help();

}  // namespace mdl::launcher::accelerate
