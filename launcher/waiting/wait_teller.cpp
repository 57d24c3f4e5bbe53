#include "launcher/waiting/wait_teller.hpp"

#include <utility>

#include "common/log.hpp"
#include "launcher/waiting/glance.hpp"
#include "launcher/waiting/wait_text.hpp"

namespace mdl::launcher::waiting {

/// Shared with the coroutine that tells, which may end a little after it is given up.
struct WaitTeller::Session {
  Session(asio::io_context& io, std::unique_ptr<Glance> what, WaitTimes times)
      : glance(std::move(what)), schedule(times, log::status_columns() > 0), pause(io) {}
  const std::unique_ptr<Glance> glance;
  WaitSchedule schedule;
  asio::steady_timer pause;
  bool over = false;
};

WaitTeller::WaitTeller(asio::io_context& io, const command_line::StorePlan& plan, const job::JobRendezvous& rendezvous,
                       WaitTimes times)
    : io_(io), plan_(plan), rendezvous_(rendezvous), times_(times) {}

WaitTeller::~WaitTeller() {
  end();
}

void WaitTeller::begin() {
  end();
  std::unique_ptr<Glance> glance = make_glance(plan_);
  if (!glance) { return; }
  session_ = std::make_shared<Session>(io_, std::move(glance), times_);
  asio::co_spawn(io_, run(session_), asio::detached);
}

std::string WaitTeller::end() {
  const std::shared_ptr<Session> session = std::exchange(session_, nullptr);
  if (!session) { return {}; }
  session->over = true;
  session->pause.cancel();
  log::show_status("");
  const auto since = session->schedule.told_since();
  if (!since) { return {}; }
  return time_text(std::chrono::ceil<std::chrono::milliseconds>(WaitSchedule::Clock::now() - *since));
}

std::string WaitTeller::text() const {
  const job::WaitPhase phase = rendezvous_.waits_for();
  if (!session_ || phase.step == job::WaitPhase::Step::none) { return {}; }
  return session_->glance->text(phase, std::string::npos);
}

asio::awaitable<void> WaitTeller::run(std::shared_ptr<Session> session) {
  while (!session->over) {
    job::WaitPhase phase = rendezvous_.waits_for();
    const auto now = WaitSchedule::Clock::now();
    const WaitSchedule::Due due = session->schedule.at(phase.step, now, session->glance->nodes());
    if (due.look) { co_await session->glance->look(phase); }
    if (session->over) { co_return; }
    const bool goes_on = rendezvous_.waits_for().step == phase.step;
    if (due.line && goes_on) {
      const bool unreached = phase.step == job::WaitPhase::Step::store;
      log::news(unreached ? session->glance->advice(phase) : session->glance->text(phase, std::string::npos));
    }
    if (due.status && goes_on) { log::show_status(session->glance->text(phase, log::status_columns())); }
    if (phase.step == job::WaitPhase::Step::none) { log::show_status(""); }
    boost::system::error_code cancelled;
    session->pause.expires_at(session->schedule.next(now));
    co_await session->pause.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
}

}  // namespace mdl::launcher::waiting
