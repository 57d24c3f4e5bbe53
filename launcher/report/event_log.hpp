#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace mdl::launcher::report {

/// Something that has happened to this node's workers, as torchrun's agent records it. What is not known is null.
struct AgentEvent {
  std::string state;  ///< "RENDEZVOUS", "START", "SUCCEEDED", "FAILED", …
  std::string run_id;
  std::string role;
  std::string hostname;
  std::string rdzv_backend;
  std::string entry_point;
  std::optional<int> group_rank{};
  std::optional<int> group_world_size{};
  int agent_restarts = 0;
  std::int64_t total_run_time_s = 0;
  std::optional<double> duration_ms{};

  /// Of an event of one worker; else the event is the agent's.
  struct Worker {
    int local_rank = 0;
    int global_rank = 0;
    int role_rank = 0;
    int role_world_size = 1;
    std::int64_t pid = 0;
    std::optional<int> exit_code{};  ///< of one that failed; negative for a signal
    std::string raw_error{};         ///< of one that failed: its message
  };
  std::optional<Worker> worker{};
};

/// The line that torchrun's `--event-log-handler console` prints: JSON with torch's names, without a '\n'.
std::string event_line(const AgentEvent& event);

}  // namespace mdl::launcher::report
