#include "launcher/round_entry.hpp"

#include <string>
#include <utility>
#include <variant>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "launcher/command_line/signal_names.hpp"

namespace mdl::launcher {

RoundEntry::RoundEntry(asio::io_context& io, const command_line::LaunchPlan& plan, job::JobRendezvous& rendezvous,
                       loop::Notifier& changed)
    : plan_(plan),
      rounds_(rendezvous, changed, [this] { return check_health(); }),
      teller_(io, plan.store, rendezvous) {
  if (plan.health) { health_.emplace(io, *plan.health, plan.environment); }
}

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
  if (!waited.empty()) { log::news("a round of ", counted(round.group_world_size, "node"), " begins, after ", waited); }
}

asio::awaitable<void> RoundEntry::check_health() {
  if (!health_) { co_return; }
  health::HealthVerdict verdict;
  checking_ = true;
  co_await health_->run(verdict);
  checking_ = false;
  if (verdict.healthy || verdict.problem.empty()) { co_return; }
  held_out_ = true;
  const bool alone = std::holds_alternative<command_line::LocalStore>(plan_.store);
  const std::string job = alone ? "the job" : str_cat("job \"", command_line::run_id_of(plan_.store), "\"");
  throw Error(str_cat("the health command on ", host_name(), ", ", plan_.health->text, ", ", verdict.problem),
              str_cat("This node stays out of ", job,
                      ". Run the command here by itself, mend what it finds, and start mdl-launch on this node again.",
                      alone ? ""
                            : " Other nodes wait for that until their join timeout, or go on without it where "
                              "--nnodes allows."));
}

void RoundEntry::interrupt(int signo) {
  const std::string name = command_line::signal_name(signo);
  const std::string what = checking_ ? str_cat("the health command ran: ", plan_.health->text) : teller_.text();
  teller_.end();
  if (!what.empty()) { log::news("received ", name, " while ", what); }
  abandon();
}

void RoundEntry::abandon() {
  rounds_.abandon();
  if (health_) { health_->stop(); }
}

}  // namespace mdl::launcher
