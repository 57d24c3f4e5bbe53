#include "launcher/watchdog/timer_book.hpp"

#include <algorithm>
#include <iterator>

namespace mdl::launcher::watchdog {

bool TimerBook::take(const TimerRequest& request, std::uint64_t process_start, Time now, double now_s) {
  std::pair key(request.pid, request.scope);
  for (auto timer = timers_.lower_bound({request.pid, {}});
       timer != timers_.end() && timer->first.first == request.pid;) {
    const bool of_another = timer->second.process_start != process_start;  // which has ended without a word
    timer = of_another ? timers_.erase(timer) : std::next(timer);
  }
  if (request.expiration_time < 0) {
    timers_.erase(key);
    return true;
  }
  constexpr double kLongest = 1e9;  // 30 years: what does not fit the clock need not expire
  const double left = std::clamp(request.expiration_time - now_s, 0.0, kLongest);
  const Time expires = now + std::chrono::duration_cast<Time::duration>(std::chrono::duration<double>(left));
  const Timer timer{expires, request.signal, process_start};
  if (timers_.size() >= kMost && timers_.count(key) == 0) { return false; }
  timers_.insert_or_assign(std::move(key), timer);
  return true;
}

std::optional<TimerBook::Time> TimerBook::next() const {
  const auto sooner = [](const auto& a, const auto& b) { return a.second.expires < b.second.expires; };
  const auto first = std::min_element(timers_.begin(), timers_.end(), sooner);
  return first == timers_.end() ? std::nullopt : std::optional<Time>(first->second.expires);
}

std::vector<TimerBook::Expired> TimerBook::take_expired(Time now) {
  std::vector<Expired> expired;
  for (auto begin = timers_.begin(); begin != timers_.end();) {  // the timers of one process stand together
    const std::int64_t pid = begin->first.first;
    const auto end = std::find_if(begin, timers_.end(), [&](const auto& entry) { return entry.first.first != pid; });
    Expired process;
    process.pid = pid;
    Time earliest = Time::max();
    for (auto timer = begin; timer != end; ++timer) {
      if (timer->second.expires > now) { continue; }
      process.process_start = timer->second.process_start;
      process.scopes.push_back(timer->first.second);
      if (timer->second.signal <= 0 || timer->second.expires >= earliest) { continue; }
      earliest = timer->second.expires;
      process.signal = timer->second.signal;
    }
    if (process.scopes.empty()) {
      begin = end;
    } else {
      begin = timers_.erase(begin, end);
      expired.push_back(std::move(process));
    }
  }
  return expired;
}

}  // namespace mdl::launcher::watchdog
