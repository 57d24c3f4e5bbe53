#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/watchdog/timer_request.hpp"

namespace mdl::launcher::watchdog {

/// The timers that run, with the rules of torch's FileTimerServer (2.15). Times come from outside.
class TimerBook {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// More than any job has; what a process that has gone mad asks for beyond it is refused.
  static constexpr std::size_t kMost = 10'000;

  /// Starts, replaces or releases a timer of a process, which `process_start` tells from others that had or will have
  /// its pid (the kernel's start time). `now` and `now_s` (seconds since the epoch, which the client counts in) are the
  /// same moment: what counts later is the time left, so that a clock that is set expires nobody. False when there are
  /// too many.
  bool take(const TimerRequest& request, std::uint64_t process_start, Time now, double now_s);

  /// When the next one expires.
  std::optional<Time> next() const;

  /// A process of which a timer has expired.
  struct Expired {
    std::int64_t pid = 0;
    std::uint64_t process_start = 0;
    int signal = 0;  ///< that of the earliest expired timer which has one; 0: it is not to be killed
    std::vector<std::string> scopes{};
  };
  /// Takes out those that have expired by `now`, and with each all other timers of its process.
  std::vector<Expired> take_expired(Time now);

  std::size_t size() const { return timers_.size(); }

 private:
  struct Timer {
    Time expires;
    int signal;
    std::uint64_t process_start;
  };
  std::map<std::pair<std::int64_t, std::string>, Timer> timers_{};
};

}  // namespace mdl::launcher::watchdog
