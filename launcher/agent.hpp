#pragma once

#include <string>
#include <vector>

#include "launcher/launch_command.hpp"
#include "launcher/log_plan.hpp"
#include "launcher/store_plan.hpp"

namespace mdl::launcher {

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
  LogOptions logs;
  std::vector<std::string> environment;  ///< the launcher's own, as NAME=VALUE
};

/// Runs the job: store, workers, restarts, report. One event loop on the calling thread; the only place that knows all.
/// Returns the exit code: 0 when all workers succeeded; 1 when the job failed (after a report on stderr) or a signal
/// ended it; 126 or 127 when the program could not be loaded.
/// Throws Error when the job cannot be started (a port in use, no file descriptors, no processes).
int run_agent(const LaunchPlan& plan);

}  // namespace mdl::launcher
