#include "launcher/job/round_sequence.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"

namespace mdl::launcher::job {

using namespace std::chrono_literals;

asio::awaitable<void> RoundSequence::next(const LocalGroup& group, Round& round) {
  while (true) {
    co_await pause();
    if (before_join_ && !abandoned_) { co_await before_join_(); }
    if (abandoned_) { co_return; }
    const std::optional<Round> agreed = co_await rendezvous_.next_round(group);
    if (agreed) {
      round = *agreed;
      co_return;
    }
    std::string no_failure;
    co_await rendezvous_.end_round(std::move(no_failure));
    ended(0ns);
  }
}

void RoundSequence::ended(std::chrono::nanoseconds lived) {
  const auto pause = free_restarts_.round_ended(rendezvous_.last_end().why, lived);
  if (pause) {
    pause_ = std::min(*pause, rendezvous_.longest_pause());
    return;
  }
  given_up_ = true;
  throw Error(
      str_cat("the nodes of the job have changed ", FreeRestarts::kMostInARow,
              " times in a row before the workers had run for ", FreeRestarts::kShortLife.count(),
              " s; giving the job up"),
      "Look for a node that comes and goes: mdl-launch status shows who is there, and each agent's output why it "
      "has ended. Start the job again without it.");
}

asio::awaitable<void> RoundSequence::pause() {
  const std::chrono::seconds time = std::exchange(pause_, 0s);
  if (time == 0s) { co_return; }
  log::warning("the nodes have changed before the workers had run for ", FreeRestarts::kShortLife.count(),
               " s: waiting ", time.count(), " s before the next round");
  const auto until = loop::Notifier::Clock::now() + time;
  while (loop::Notifier::Clock::now() < until && rendezvous_.state() != RoundState::closed) {
    co_await changed_.wait_until(until);
  }
}

}  // namespace mdl::launcher::job
