#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launcher/guardian.hpp"
#include "launcher/job_rendezvous.hpp"
#include "launcher/launch_plan.hpp"
#include "launcher/output_mux.hpp"
#include "launcher/worker_env.hpp"

namespace mdl::launcher {

/// Who the worker with `local_rank` is among all workers of the round.
WorkerIdentity identity_of(const Round& round, int local_rank);

/// What the lines of each worker begin with where they are tee'd, by local rank.
std::vector<std::string> line_prefixes(const LaunchPlan& plan, const Round& round);

/// What this node starts in a round, by local rank: program, arguments, environment, and the ends of its output.
/// `error_files` has the path of each one's error file, `timer_file` is the watchdog's FIFO, or empty.
std::vector<WorkerSpec> worker_specs(const LaunchPlan& plan, const Round& round, int restart_count,
                                     const std::filesystem::path& timer_file,
                                     const std::vector<std::filesystem::path>& error_files,
                                     const std::vector<OutputMux::WorkerEnds>& ends);

}  // namespace mdl::launcher
