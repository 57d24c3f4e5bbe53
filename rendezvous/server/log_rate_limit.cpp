#include "rendezvous/server/log_rate_limit.hpp"

#include "common/log.hpp"

namespace mdl::rendezvous::server {

void LogRateLimit::begin_period(Clock::time_point now) {
  if (lines_ > 0 && now - began_ <= kPeriod) { return; }
  began_ = now;
  lines_ = 0;
  subjects_.clear();
}

LogRateLimit::Verdict LogRateLimit::allow(Clock::time_point now) {
  begin_period(now);
  return count();
}

LogRateLimit::Verdict LogRateLimit::count() {
  if (lines_ == kMostLines) { return Verdict::drop; }
  ++lines_;
  return lines_ == kMostLines ? Verdict::write_and_say_last : Verdict::write;
}

LogRateLimit::Verdict LogRateLimit::allow_once(const std::string& subject, Clock::time_point now) {
  begin_period(now);
  if (lines_ == kMostLines || !subjects_.insert(subject).second) { return Verdict::drop; }
  return count();
}

void log_warning(LogRateLimit::Verdict verdict, const std::string& line) {
  if (verdict == LogRateLimit::Verdict::drop) { return; }
  const bool last = verdict == LogRateLimit::Verdict::write_and_say_last;
  log::warning(line, last ? " (no further lines of this kind for some minutes)" : "");
}

}  // namespace mdl::rendezvous::server
