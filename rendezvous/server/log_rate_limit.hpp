#pragma once

#include <chrono>
#include <cstddef>
#include <set>
#include <string>

namespace mdl::rendezvous::server {

/// Which of the lines that strangers can cause are worth the log: the first kMostLines in kPeriod, and of those about
/// the same thing the first one. Pure.
class LogRateLimit {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kPeriod{10};
  static constexpr std::size_t kMostLines = 100;

  enum class Verdict { write, write_and_say_last, drop };

  /// A line that is written as often as the limit allows.
  Verdict allow(Clock::time_point now);
  /// A line that is written once in kPeriod for each `subject`.
  Verdict allow_once(const std::string& subject, Clock::time_point now);

 private:
  void begin_period(Clock::time_point now);
  Verdict count();

  Clock::time_point began_{};
  std::size_t lines_ = 0;
  std::set<std::string> subjects_{};  // at most kMostLines
};

/// Writes a warning, or does not, and says when it is the last for some time.
void log_warning(LogRateLimit::Verdict verdict, const std::string& line);

}  // namespace mdl::rendezvous::server
