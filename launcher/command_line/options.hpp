#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "launcher/command_line/command_help.hpp"
#include "launcher/command_line/log_plan.hpp"
#include "launcher/command_line/signal_names.hpp"
#include "launcher/machine/numa_binding.hpp"

namespace mdl::launcher::command_line {

/// How many nodes a job needs at least and may have at most (`--nnodes N` or `--nnodes MIN:MAX`).
struct NodeRange {
  int min = 1;
  int max = 1;
};

/// The command line of mdl-launch: torchrun's options with torchrun's names, defaults and PET_* variables. Text values
/// that only one part of the launcher understands (`nproc_per_node`) are kept as written.
struct LaunchOptions {
  bool standalone = false;
  NodeRange nnodes;
  std::string nproc_per_node = "1";

  std::string rdzv_backend = "static";
  std::string rdzv_endpoint;
  std::string rdzv_id = "none";
  std::string rdzv_conf;  ///< KEY=VALUE,…
  int node_rank = 0;
  std::optional<std::string> local_addr;
  std::optional<int> master_port;  ///< kStaticPort without it, where one counts
  std::string master_addr = "127.0.0.1";

  std::string health_command;            ///< run before each join; empty: none
  std::optional<double> hang_timeout{};  ///< seconds without a step after which workers are ended; nullopt: never
  std::optional<Endpoint> dashboard;     ///< where a browser finds the job's page; port 0: any free one
  std::optional<Endpoint> metrics;       ///< where Prometheus finds the job's metrics; port 0: any free one
  int max_restarts = 0;
  std::string role = "default";
  std::string signals_to_handle = kDefaultSignals;
  int shutdown_timeout = 30;  ///< seconds between the signal that asks workers to end and SIGKILL
  std::chrono::milliseconds exit_barrier_timeout{300'000};  ///< for the other nodes to be done after this one
  bool virtual_local_rank = false;
  std::optional<machine::NumaBinding> numa_binding;
  bool agent_store = true;  ///< false: TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1, the first worker brings the workers' store

  bool logs_events = false;  ///< --event-log-handler console

  LogOptions logs;

  bool module = false;
  bool no_python = false;
  bool run_path = false;
  std::string program;  ///< script, module or program to run
  std::vector<std::string> program_args;
  bool first_word_is_program = false;  ///< no option stands before it: a command may have been meant
};

/// What a command line asks for: a text to print on stdout (--help, --version), the completion script of a shell
/// (--print-completion), or a launch.
struct ParsedCommandLine {
  std::optional<std::string> text;
  std::optional<std::string> completion_shell;
  LaunchOptions options;
};

/// mdl-launch itself, as its --help tells it.
const CommandHelp& launcher_help();

/// Looks up an environment variable; nullopt when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// Parses `args` (without the program's own name). As torchrun: `-` and `_` are the same in an option's name, a unique
/// beginning of a name is enough, options end at the first word that is not one, the rest belongs to the program, and
/// PET_NAME gives the value of an option that is not on the command line.
/// Throws UsageError (exit 2) for an unknown option (with the nearest known one), a missing or wrong value, and a
/// missing program.
ParsedCommandLine parse_command_line(const std::vector<std::string>& args, const Environment& environment);

/// The same for who asks about a launch rather than starts it, as the doctor does: `program` may stay empty, and there
/// is no text to print.
LaunchOptions parse_launch_options(const std::vector<std::string>& args, const Environment& environment);

}  // namespace mdl::launcher::command_line
