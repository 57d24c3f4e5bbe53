#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/process/worker_group.hpp"

namespace mdl::launcher::watchdog {

/// How long processes have been in uninterruptible sleep without a break, as far as looks at them tell.
class StuckTimes {
 public:
  using Clock = std::chrono::steady_clock;
  /// `states` has the letter of /proc/PID/stat for each process that is watched; those that it lacks are forgotten.
  void look(const std::map<pid_t, char>& states, Clock::time_point now);
  /// Zero for one that was not in that state at the last look.
  std::chrono::duration<double> of(pid_t pid) const;

 private:
  std::map<pid_t, Clock::time_point> since_{};
  Clock::time_point last_look_{};
};

/// torchrun's check for workers that hang in the kernel (a wedged GPU, network card or file server), from which no
/// signal wakes them: one that has been in uninterruptible sleep for TORCHELASTIC_UNINTERRUPTIBLE_STATE_TIMEOUT seconds
/// counts as failed, and no other try is made on this node, as it would find the same device held. Off without the
/// variable.
class StuckWatch {
 public:
  explicit StuckWatch(const std::vector<std::string>& environment);

  /// Waits for `changed`; looks at the workers of `group` meanwhile, and marks those that are stuck.
  asio::awaitable<void> wait(process::WorkerGroup& group, loop::Notifier& changed);

 private:
  std::optional<std::chrono::duration<double>> limit_;
  StuckTimes times_{};
};

/// The seconds that the variable says, as Python reads a float. nullopt where the check is off: without it, for 0 or
/// less, and, with a warning, for what is no number.
std::optional<std::chrono::duration<double>> stuck_limit(const std::optional<std::string>& variable);

}  // namespace mdl::launcher::watchdog
