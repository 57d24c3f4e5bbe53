#pragma once

#include "launcher/command_line/launch_plan.hpp"

namespace mdl::launcher {

/// Runs the job: store, workers, restarts, report. One event loop on the calling thread; the only place that knows all.
/// Returns the exit code: 0 when all workers succeeded; 1 when the job failed (after a report on stderr) or a signal
/// ended it; 126 or 127 when the program could not be loaded.
/// Throws Error when the job cannot be started (a port in use, no file descriptors, no processes).
int run_agent(const command_line::LaunchPlan& plan);

}  // namespace mdl::launcher
