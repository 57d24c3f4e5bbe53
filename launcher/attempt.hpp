#pragma once

#include <filesystem>
#include <vector>

#include "launcher/command_line/launch_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/output/output_mux.hpp"
#include "launcher/output/run_folder.hpp"
#include "launcher/process/worker_group.hpp"
#include "launcher/report/failure_report.hpp"
#include "launcher/worker_specs.hpp"

namespace mdl::launcher {

/// One attempt at the job on this node: the workers of one round with the folder and the pipes that they were given.
class Attempt {
 public:
  /// Starts the workers of `plan` as ranks of `round`; `number` is how many restarts came before (it names the folder).
  /// `changed` is notified of what becomes of them. All references must live as long.
  /// Throws Error when folders, file descriptors or processes cannot be had.
  Attempt(asio::io_context& io, const command_line::LaunchPlan& plan, const job::Round& round, int number,
          output::RunFolder& folder, output::OutputMux& output, loop::Notifier& changed, const ServedPaths& served);

  process::WorkerGroup& group() { return group_; }

  /// Each worker as it stands now, by local rank, with its error file and last words as far as they are there.
  std::vector<report::ReportedWorker> describe_workers() const;
  /// Where the worker of a local rank leaves its exception.
  std::filesystem::path error_file(int local_rank) const { return folder_.error_file(number_, local_rank); }

 private:
  std::vector<process::WorkerSpec> open(const command_line::LaunchPlan& plan, const ServedPaths& served);

  const job::Round round_;
  const int number_;
  output::RunFolder& folder_;
  output::OutputMux& output_;
  std::vector<output::OutputMux::WorkerEnds> ends_;  ///< of the pipes; ours are closed once the workers have theirs
  process::WorkerGroup group_;
};

}  // namespace mdl::launcher
