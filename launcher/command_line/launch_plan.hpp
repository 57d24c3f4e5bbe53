#pragma once

#include <string>
#include <vector>

#include "launcher/command_line/launch_command.hpp"
#include "launcher/command_line/log_plan.hpp"
#include "launcher/command_line/store_plan.hpp"
#include "launcher/machine/cpu_topology.hpp"

namespace mdl::launcher::command_line {

/// A job as this node runs it, decided before anything is started.
struct LaunchPlan {
  LaunchCommand command;
  StorePlan store;
  int local_world_size = 1;
  int max_restarts = 0;
  std::string role = "default";
  std::string signals_to_handle = "SIGTERM,SIGINT,SIGHUP,SIGQUIT";
  int shutdown_timeout = 30;  ///< seconds
  bool virtual_local_rank = false;
  bool logs_events = false;             ///< --event-log-handler console
  std::string rdzv_backend = "static";  ///< as events name it
  LogOptions logs;
  std::vector<machine::CpuSet> worker_cpus;  ///< by local rank, see bind_workers(); empty: workers are not bound
  std::vector<std::string> environment;      ///< the launcher's own, as NAME=VALUE
};

}  // namespace mdl::launcher::command_line
