#include "launcher/round_entry.hpp"

#include <string>

#include "common/log.hpp"
#include "launcher/command_line/signal_names.hpp"

namespace mdl::launcher {

RoundEntry::RoundEntry(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
                       loop::Notifier& changed)
    : rounds_(rendezvous, changed), teller_(io, plan.store, rendezvous) {}

asio::awaitable<void> RoundEntry::enter(const job::LocalGroup& group, job::Round& round) {
  /// Ends the telling, however the wait ends.
  struct Telling {
    explicit Telling(waiting::WaitTeller& which) : teller(which) { teller.begin(); }
    ~Telling() { teller.end(); }
    Telling(const Telling&) = delete;
    Telling& operator=(const Telling&) = delete;
    waiting::WaitTeller& teller;
  };
  const Telling telling(teller_);
  co_await rounds_.next(group, round);
  const std::string waited = teller_.end();
  if (!waited.empty()) { log::news("a round of ", round.group_world_size, " nodes begins, after ", waited); }
}

void RoundEntry::interrupt(int signo) {
  const std::string name = command_line::signal_name(signo);
  const std::string what = teller_.text();
  teller_.end();
  if (!what.empty()) { log::news("received ", name, " while ", what); }
  abandon();
}

}  // namespace mdl::launcher
