#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "launcher/event_log.hpp"
#include "launcher/failure_report.hpp"
#include "launcher/job_rendezvous.hpp"
#include "launcher/launch_plan.hpp"

namespace mdl::launcher {

/// Prints what happens on this node as torchrun's `--event-log-handler console` does, on stderr; nothing without that
/// option. (The ranks are part of the rendezvous here: ASSIGN_WORKER_RANKS has no duration of its own.)
class EventRecorder {
 public:
  explicit EventRecorder(const LaunchPlan& plan) : plan_(plan) {}

  /// A round has been agreed on.
  void round_begins(const Round& round, int restarts, std::chrono::duration<double, std::milli> took);
  /// To be called whenever workers may have started: each is recorded once a round.
  void look_at(const std::vector<WorkerState>& workers, const Round& round, int restarts);
  /// The workers have ended for good, or were stopped.
  void job_ends(const std::vector<ReportedWorker>& workers, const Round& round, int restarts);
  /// A signal ends this node's part.
  void agent_fails(const Round& round, int restarts);

 private:
  AgentEvent event(const char* state, const std::optional<Round>& round, int restarts) const;
  AgentEvent::Worker worker(const Round& round, int local_rank, std::int64_t pid) const;
  void print(const AgentEvent& event) const;

  const LaunchPlan& plan_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::vector<bool> started_{};
};

}  // namespace mdl::launcher
