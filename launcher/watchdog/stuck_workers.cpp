#include "launcher/watchdog/stuck_workers.hpp"

#include "common/log.hpp"
#include "common/parse_number.hpp"
#include "common/process_stat.hpp"
#include "launcher/process/worker_env.hpp"

namespace mdl::launcher::watchdog {
namespace {

/// torchrun's time between two looks (--monitor-interval).
constexpr std::chrono::milliseconds kLookForStuck{100};
constexpr const char* kVariable = "TORCHELASTIC_UNINTERRUPTIBLE_STATE_TIMEOUT";

}  // namespace

void StuckTimes::look(const std::map<pid_t, char>& states, Clock::time_point now) {
  std::map<pid_t, Clock::time_point> since;
  for (const auto& [pid, state] : states) {
    if (state != 'D') { continue; }
    const auto known = since_.find(pid);
    since[pid] = known == since_.end() ? now : known->second;
  }
  since_ = std::move(since);
  last_look_ = now;
}

std::chrono::duration<double> StuckTimes::of(pid_t pid) const {
  const auto found = since_.find(pid);
  return found == since_.end() ? Clock::duration::zero() : last_look_ - found->second;
}

std::optional<std::chrono::duration<double>> stuck_limit(const std::optional<std::string>& variable) {
  if (!variable || variable->empty()) { return std::nullopt; }
  const auto seconds = parse_real_number(*variable);
  if (!seconds) {
    log::warning(kVariable, "=", *variable,
                 " is no number of seconds: workers that hang in the kernel are not looked for");
    return std::nullopt;
  }
  if (*seconds <= 0) { return std::nullopt; }
  return std::chrono::duration<double>(*seconds);
}

StuckWatch::StuckWatch(const std::vector<std::string>& environment)
    : limit_(stuck_limit(process::find_variable(environment, kVariable))) {}

asio::awaitable<void> StuckWatch::wait(process::WorkerGroup& group, loop::Notifier& changed) {
  if (!limit_) {
    co_await changed.wait();
    co_return;
  }
  co_await changed.wait_until(loop::Notifier::Clock::now() + kLookForStuck);
  std::map<pid_t, char> states;
  for (const process::WorkerState& worker : group.workers()) {
    if (worker.phase != process::WorkerState::Phase::running) { continue; }
    if (const auto process = process_stat(worker.pid)) { states[worker.pid] = process->state; }
  }
  times_.look(states, StuckTimes::Clock::now());
  for (std::size_t i = 0; i < group.workers().size(); ++i) {
    const auto stuck = times_.of(group.workers()[i].pid);
    if (group.workers()[i].phase != process::WorkerState::Phase::running || stuck < *limit_) { continue; }
    log::error("the worker with local rank ", i, " (pid ", group.workers()[i].pid,
               ") has been in uninterruptible sleep for ", stuck.count(), " s (", kVariable, "=", limit_->count(),
               "): giving up, without another try on this node");
    group.give_up(static_cast<int>(i), stuck);
  }
}

}  // namespace mdl::launcher::watchdog
