#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "launcher/command_line/launch_plan.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/process/worker_group.hpp"
#include "launcher/progress/progress_teller.hpp"
#include "launcher/report/event_log.hpp"
#include "launcher/report/failure_report.hpp"

namespace mdl::launcher {

/// Prints what happens on this node as torchrun's `--event-log-handler console` does, on stderr; nothing of that
/// without that option. Tells the other nodes, and `status`, what they may want to know of it. (The ranks are part of
/// the rendezvous here: ASSIGN_WORKER_RANKS has no duration of its own.)
class EventRecorder {
 public:
  EventRecorder(const command_line::LaunchPlan& plan, progress::ProgressTeller& teller)
      : plan_(plan), teller_(teller) {}

  /// A round has been agreed on.
  void round_begins(const job::Round& round, int restarts, std::chrono::duration<double, std::milli> took);
  /// To be called whenever workers may have started or ended: each start is recorded once a round.
  void look_at(const std::vector<process::WorkerState>& workers, const job::Round& round, int restarts);
  /// One of `workers` has failed, and all of this node start again, for the `number`th time; logs it as well. Returns
  /// what has failed, for other nodes.
  std::string restarts(const std::vector<report::ReportedWorker>& workers, int number);
  /// `round` has ended, and not for a failure of this node's; logs why as well.
  void round_ends(const job::Round& round, const job::EndedRound& end);
  /// The job fails, here or on another node, and the workers that run are about to be stopped: logs it.
  void job_fails(const process::WorkerGroup& group, bool failed_here) const;
  /// A worker of this node has failed, and with it the job.
  void fails(const std::vector<report::ReportedWorker>& workers);
  /// The workers have ended for good, or were stopped.
  void job_ends(const std::vector<report::ReportedWorker>& workers, const job::Round& round, int restarts);
  /// The user's signal has come.
  void signalled(const std::string& name);
  /// A signal ends this node's part.
  void agent_fails(const job::Round& round, int restarts);

 private:
  report::AgentEvent event(const char* state, const std::optional<job::Round>& round, int restarts) const;
  report::AgentEvent::Worker worker(const job::Round& round, int local_rank, std::int64_t pid) const;
  void print(const report::AgentEvent& event) const;

  const command_line::LaunchPlan& plan_;
  progress::ProgressTeller& teller_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::vector<bool> started_{};
};

}  // namespace mdl::launcher
