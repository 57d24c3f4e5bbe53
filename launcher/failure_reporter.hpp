#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "launcher/attempt.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/output/run_folder.hpp"
#include "launcher/report/failure_report.hpp"
#include "launcher/report/root_cause.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"

namespace mdl::launcher {

/// What an agent leaves behind of a job that has failed: the report on stderr, its exit code, and, where another
/// launcher is above it, the error file for that.
class FailureReporter {
 public:
  /// To be made before workers start: it counts what the kernel kills for want of memory from then on. Both must
  /// outlive this.
  FailureReporter(const command_line::LaunchPlan& plan, output::RunFolder& folder);

  /// The failure as this node sees it; `restarts` are used up. Without workers: it was no part of the last round.
  report::FailureReport describe(std::vector<report::ReportedWorker> workers, int restarts) const;

  /// Prints the report of a job of which this node's workers are not to blame. Returns the launcher's exit code.
  int report_elsewhere(const report::FailureReport& failure, const std::optional<report::RootCause>& cause) const;
  /// The same where the job has ended before this node could be part of a round of it: the report of `cause`, or a word
  /// of a spare node, whose code is 0. Throws `error` where it is neither.
  int report_without_round(const rendezvous::c10d::RendezvousError& error,
                           const std::optional<report::RootCause>& cause, int restarts) const;
  /// Prints the report of a job in which workers of this node have failed, the first of them in `attempt`; `cause` is
  /// the first failure of all nodes. Passes the worker's error file on. Returns the launcher's exit code.
  int report_own(const report::FailureReport& failure, const std::optional<report::RootCause>& cause,
                 const Attempt& attempt) const;

 private:
  const command_line::LaunchPlan& plan_;
  output::RunFolder& folder_;
  const std::optional<std::int64_t> oom_kills_before_;
};

}  // namespace mdl::launcher
