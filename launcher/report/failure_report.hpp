#pragma once

#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "launcher/process/worker_group.hpp"
#include "launcher/report/error_file.hpp"
#include "launcher/report/root_cause.hpp"

namespace mdl::launcher::report {

/// One worker as the report sees it.
struct ReportedWorker {
  int rank = 0;
  int local_rank = 0;
  process::WorkerState state;
  std::optional<WorkerError> error;  ///< what it wrote to its error file
  std::vector<std::string> last_stderr_lines;
  std::string error_file{};              ///< its path, where there is one
  std::vector<std::string> log_files{};  ///< the paths of its stdout.log and stderr.log, where it has them
};

/// What a failed job is reported from.
struct FailureReport {
  std::string job;   ///< the script or program
  std::string host;  ///< this node
  std::vector<ReportedWorker> workers;
  int restarts_used = 0;
  int max_restarts = 0;
  bool out_of_memory = false;  ///< the kernel killed a process for want of memory while the job ran
  std::string script_hint{};   ///< see LaunchCommand
};

/// The index in `workers` of the failure that caused the others: the earliest by the time in the error file, where
/// there is one, or of the exit; among equals of one second the first that ended. Workers that ended after the launcher
/// had told them to stop come last. nullopt when none failed.
std::optional<std::size_t> root_cause(const std::vector<ReportedWorker>& workers);

/// The root cause where a launcher itself has failed, such as for want of a log folder, and its workers, the first of
/// which has the rank `rank`, did not start because of it.
RootCause describe_own_failure(const std::string& host, int rank, const std::exception& failure);

/// "exit code 3", "signal SIGSEGV", "could not be started: No such file or directory"; of one that was given up why,
/// whatever became of it.
std::string describe_end(const process::WorkerState& state);

/// "rank 3 failed with exit code 3", where that is its `name`; where it was given up for a hang of which it is not
/// accused: "the job hung: no step for 600 s (…): rank 7 on node1 is stopped (state T)".
std::string describe_failure(const ReportedWorker& worker, const std::string& name);

/// The exit code as Python's subprocess has it: negative for a signal.
int python_exit_code(const process::WorkerState& state);

/// What the launcher exits with when this worker was the first that failed: as a shell 127 or 126 when the program is
/// not there or cannot be run, else 1.
int job_exit_code(const process::WorkerState& state);

/// The first failure of this node, in words; nullopt when no worker of it failed by itself.
std::optional<RootCause> describe_root_cause(const FailureReport& report);

/// One screen of text: the root cause of the job, wherever it was (see format_root_cause), then a line for each other
/// failure on this node. Without `cause` it is this node's own.
std::string format_report(const FailureReport& report, const std::optional<RootCause>& cause = std::nullopt);

/// Writes it to stderr, past all buffers, as far as that can be written.
void print_report(const std::string& text);

}  // namespace mdl::launcher::report
