#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "launcher/command_line/launch_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/output/output_mux.hpp"
#include "launcher/process/guardian.hpp"
#include "launcher/process/worker_env.hpp"

namespace mdl::launcher {

/// Who the worker with `local_rank` is among all workers of the round.
process::WorkerIdentity identity_of(const job::Round& round, int local_rank);

/// What the lines of each worker begin with where they are tee'd, by local rank.
std::vector<std::string> line_prefixes(const command_line::LaunchPlan& plan, const job::Round& round);

/// What the launcher serves to its workers, by path.
struct ServedPaths {
  std::filesystem::path timer_file{};             ///< the watchdog's FIFO, or empty
  std::vector<std::filesystem::path> progress{};  ///< each worker's socket by local rank, or nothing
};

/// What this node starts in a round, by local rank: program, arguments, environment, and the ends of its output.
/// `error_files` has the path of each one's error file.
std::vector<process::WorkerSpec> worker_specs(const command_line::LaunchPlan& plan, const job::Round& round,
                                              int restart_count, const ServedPaths& served,
                                              const std::vector<std::filesystem::path>& error_files,
                                              const std::vector<output::OutputMux::WorkerEnds>& ends);

}  // namespace mdl::launcher
