#pragma once

#include <filesystem>
#include <vector>

#include "launcher/failure_report.hpp"
#include "launcher/job_rendezvous.hpp"
#include "launcher/launch_plan.hpp"
#include "launcher/output_mux.hpp"
#include "launcher/run_folder.hpp"
#include "launcher/worker_group.hpp"

namespace mdl::launcher {

/// One attempt at the job on this node: the workers of one round with the folder and the pipes that they were given.
class Attempt {
 public:
  /// Starts the workers of `plan` as ranks of `round`; `number` is how many restarts came before (it names the folder).
  /// `timer_file` is the watchdog's FIFO, or empty.
  /// `changed` is notified of what becomes of them. All references must live as long.
  /// Throws Error when folders, file descriptors or processes cannot be had.
  Attempt(asio::io_context& io, const LaunchPlan& plan, const Round& round, int number, RunFolder& folder,
          OutputMux& output, loop::Notifier& changed, const std::filesystem::path& timer_file);

  WorkerGroup& group() { return group_; }
  const WorkerGroup& group() const { return group_; }

  /// Each worker as it stands now, by local rank, with its error file and last words as far as they are there.
  std::vector<ReportedWorker> describe_workers() const;
  /// Where the worker of a local rank leaves its exception.
  std::filesystem::path error_file(int local_rank) const { return folder_.error_file(number_, local_rank); }

 private:
  std::vector<WorkerSpec> open(const LaunchPlan& plan, const std::filesystem::path& timer_file);

  const Round round_;
  const int number_;
  RunFolder& folder_;
  OutputMux& output_;
  std::vector<OutputMux::WorkerEnds> ends_;  ///< of the pipes; ours are closed once the workers have theirs
  WorkerGroup group_;
};

}  // namespace mdl::launcher
