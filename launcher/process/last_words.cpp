#include "launcher/process/last_words.hpp"

#include <algorithm>
#include <vector>

namespace mdl::launcher::process {
namespace {

using namespace std::chrono_literals;
using Clock = loop::Notifier::Clock;

/// How often it is looked whether something has been written. Nothing is looked at unless processes are left behind.
constexpr auto kListenAgain = 5ms;
constexpr auto kKillLimit = 10s;  // SIGKILL works at once or, in an uninterruptible system call, perhaps never

asio::awaitable<void> hear_descendants(const WorkerGroup& group, output::OutputMux& output, loop::Notifier& changed,
                                       const bool& hurry) {
  const auto began = Clock::now();
  while (!hurry && !group.all_gone()) {
    const auto now = Clock::now();
    const auto heard = std::max(began, output.last_heard());
    if (now >= heard + 1s || now >= began + 5s) { break; }
    co_await changed.wait_until(now + kListenAgain);
  }
}

}  // namespace

asio::awaitable<void> hear_worker(output::OutputMux& output, int local_rank, loop::Notifier& changed,
                                  const bool& hurry) {
  constexpr auto kSilence = 200ms;
  const auto began = Clock::now();
  while (!hurry && !output.has_ended(local_rank)) {
    const auto now = Clock::now();
    const auto heard = std::max(began, output.last_heard(local_rank));
    if (now >= heard + kSilence || now >= began + 1s) { break; }
    co_await changed.wait_until(now + kListenAgain);
  }
}

asio::awaitable<void> end_by_signal(WorkerGroup& group, output::OutputMux& output, loop::Notifier& changed, int signo,
                                    std::chrono::milliseconds grace, const bool& hurry) {
  co_await group.ask_to_end(signo, grace, hurry);
  if (group.running() == 0) { co_await hear_descendants(group, output, changed, hurry); }
  co_await group.kill_rest(kKillLimit);
}

asio::awaitable<void> end_well(WorkerGroup& group, output::OutputMux& output, loop::Notifier& changed) {
  const auto deadline = Clock::now() + 300ms;
  while (!group.all_gone() && Clock::now() < deadline) { co_await changed.wait_until(deadline); }
  std::vector<output::LeftStream> left;
  co_await output.hand_over(left);
  co_await output.finish();
  group.let_go(left);
}

}  // namespace mdl::launcher::process
