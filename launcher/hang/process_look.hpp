#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <vector>

#include "launcher/hang/evidence.hpp"

namespace mdl::launcher::hang {

/// What the kernel shows of workers and all processes that they have started, in two looks with some time between them:
/// reads /proc, sends nothing, and stops nobody.
class ProcessLook {
 public:
  using Clock = std::chrono::steady_clock;

  /// The first look. `workers` are the pids of the workers, by local rank; 0 for one that does not run. `root` is a
  /// process that all of them descend from.
  ProcessLook(pid_t root, const std::vector<pid_t>& workers);

  /// The second one: the processes of each worker by local rank. One that was not there the first time is passed over.
  std::vector<RankEvidence> again() const;
  /// How long the first one is ago.
  double seconds() const { return std::chrono::duration<double>(Clock::now() - began_).count(); }
  /// The processes of each worker, by local rank, the worker itself first.
  const std::vector<std::vector<pid_t>>& trees() const { return trees_; }

 private:
  /// Of a process at the first look.
  struct Before {
    std::uint64_t start_time = 0;
    std::uint64_t cpu_ticks = 0;
    std::uint64_t queued_ns = 0;
    char state = '?';
  };
  RankEvidence evidence_of(const std::vector<pid_t>& tree) const;

  Clock::time_point began_;
  std::vector<std::vector<pid_t>> trees_{};
  std::map<pid_t, Before> before_{};
};

}  // namespace mdl::launcher::hang
