#include "launcher/process/worker_group.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/log.hpp"
#include "launcher/command_line/signal_names.hpp"

namespace mdl::launcher::process {

namespace {

/// So that no ended guardian is in the way of whoever looks at the processes, for as long as the next attempt runs.
asio::awaitable<void> reap_at_its_end(UniqueFd guardian) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::posix::stream_descriptor process(executor, guardian.release());
  boost::system::error_code ignored;
  co_await process.async_wait(asio::posix::stream_descriptor::wait_read,
                              asio::redirect_error(asio::use_awaitable, ignored));
  reap_ended_guardians();
}

}  // namespace

WorkerGroup::WorkerGroup(asio::io_context& io, const std::vector<WorkerSpec>& specs, loop::Notifier& changed)
    : state_(std::make_shared<State>(changed)), guardian_(std::make_shared<Guardian>(specs)) {
  state_->workers.resize(specs.size());
  events_ = std::make_shared<asio::posix::stream_descriptor>(io, ::dup(guardian_->event_fd()));
  asio::co_spawn(io, follow_events(state_, guardian_, events_), asio::detached);
}

WorkerGroup::~WorkerGroup() {
  UniqueFd end = guardian_->end_fd();
  if (end) { asio::co_spawn(events_->get_executor(), reap_at_its_end(std::move(end)), asio::detached); }
  events_->close();
}

bool WorkerGroup::all_succeeded() const {
  return std::all_of(workers().begin(), workers().end(), [](const WorkerState& worker) {
    return worker.phase == WorkerState::Phase::exited && worker.wait_status == 0;
  });
}

bool WorkerGroup::any_failed() const {
  return std::any_of(workers().begin(), workers().end(), [](const WorkerState& worker) { return worker.failed(); });
}

bool WorkerGroup::any_cannot_start() const {
  return std::any_of(workers().begin(), workers().end(),
                     [](const WorkerState& worker) { return worker.phase == WorkerState::Phase::cannot_start; });
}

bool WorkerGroup::is_hopeless() const {
  return any_cannot_start() || std::any_of(workers().begin(), workers().end(),
                                           [](const WorkerState& worker) { return worker.stuck.count() > 0; });
}

bool WorkerGroup::given_up_for_hang() const {
  return std::any_of(workers().begin(), workers().end(),
                     [](const WorkerState& worker) { return worker.hang.has_value(); });
}

int WorkerGroup::running() const {
  return static_cast<int>(std::count_if(workers().begin(), workers().end(), [](const WorkerState& worker) {
    return worker.phase == WorkerState::Phase::running;
  }));
}

int WorkerGroup::healthy() const {
  return static_cast<int>(std::count_if(workers().begin(), workers().end(), [](const WorkerState& worker) {
    return worker.phase == WorkerState::Phase::running && !worker.failed();
  }));
}

void WorkerGroup::apply(State& state, const GuardianEvent& event) {
  if (event.kind == GuardianEvent::Kind::all_gone) {
    state.all_gone = true;
    return;
  }
  WorkerState& worker = state.workers.at(static_cast<std::size_t>(event.local_rank));
  if (worker.given_up() && event.kind == GuardianEvent::Kind::exited) {
    worker.phase = WorkerState::Phase::exited;  // when it failed is known already
    worker.wait_status = event.value;
    return;
  }
  worker.ended_ns = event.time_ns;
  switch (event.kind) {
    case GuardianEvent::Kind::started:
      worker.phase = WorkerState::Phase::running;
      worker.pid = event.pid;
      if (const auto early = state.expired_early.extract(event.pid)) { worker.expired_timers = early.mapped(); }
      log::debug("worker ", event.local_rank, " started as pid ", event.pid);
      return;
    case GuardianEvent::Kind::start_failed:
      worker.phase = WorkerState::Phase::cannot_start;
      worker.start_errno = event.value;
      worker.end_order = ++state.ended;
      return;
    case GuardianEvent::Kind::exited:
      worker.phase = WorkerState::Phase::exited;
      worker.wait_status = event.value;
      worker.end_order = ++state.ended;
      worker.told_to_stop = state.stopping;
      log::debug("worker ", event.local_rank, " (pid ", event.pid, ") ended with wait status ", event.value);
      return;
    case GuardianEvent::Kind::all_gone:
      return;
  }
}

void WorkerGroup::take_events(State& state, Guardian& guardian) {
  while (!state.all_gone) {
    const auto event = guardian.next_event();
    if (!event) { return; }
    apply(state, *event);
  }
}

asio::awaitable<void> WorkerGroup::follow_events(std::shared_ptr<State> state, std::shared_ptr<Guardian> guardian,
                                                 std::shared_ptr<asio::posix::stream_descriptor> events) {
  try {
    while (!state->all_gone) {
      boost::system::error_code error;
      co_await events->async_wait(asio::posix::stream_descriptor::wait_read,
                                  asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        co_return;  // the group is gone
      }
      take_events(*state, *guardian);
      state->changed.notify();
    }
  } catch (const Error& error) {
    state->failure = error;
    // The kernel has killed the workers with the guardian; what they started is now this process's to end.
    kill_and_reap_all(std::chrono::seconds(2));
    for (WorkerState& worker : state->workers) {
      if (worker.phase != WorkerState::Phase::running) { continue; }
      worker.phase = WorkerState::Phase::exited;
      worker.wait_status = SIGKILL;
      worker.told_to_stop = true;
      worker.end_order = ++state->ended;
    }
    state->all_gone = true;
    state->changed.notify();
  }
}

void WorkerGroup::give_up(int local_rank, std::chrono::duration<double> stuck) {
  note_failure(local_rank).stuck = stuck;
}

void WorkerGroup::give_up(int local_rank, JobHang hang) {
  note_failure(local_rank).hang = std::move(hang);
}

/// It has failed now, although it has not ended.
WorkerState& WorkerGroup::note_failure(int local_rank) {
  WorkerState& worker = state_->workers.at(static_cast<std::size_t>(local_rank));
  worker.ended_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  worker.end_order = ++state_->ended;
  return worker;
}

void WorkerGroup::note_expired_timers(pid_t pid, const std::string& names) {
  for (WorkerState& worker : state_->workers) {
    if (worker.phase != WorkerState::Phase::running || worker.pid != pid) { continue; }
    worker.expired_timers = names;
    return;
  }
  const bool some_start_unread =
      std::any_of(state_->workers.begin(), state_->workers.end(),
                  [](const WorkerState& worker) { return worker.phase == WorkerState::Phase::not_started; });
  if (some_start_unread) { state_->expired_early.insert_or_assign(pid, names); }
}

void WorkerGroup::let_go(const std::vector<output::LeftStream>& streams) {
  const bool nobody_left = std::exchange(state_->all_gone, true);  // the guardian's own end is no news from now on
  events_->close();
  guardian_->let_go(streams, nobody_left);
}

asio::awaitable<void> WorkerGroup::ask_to_end(int signo, std::chrono::milliseconds grace, const bool& hurry) {
  state_->stopping = true;
  // A worker may run of which the guardian's message has not been read yet. After a failed start nobody else starts.
  const auto may_run = [this] {
    return running() > 0 || (!state_->all_gone && !any_cannot_start() &&
                             std::any_of(workers().begin(), workers().end(), [](const WorkerState& worker) {
                               return worker.phase == WorkerState::Phase::not_started;
                             }));
  };
  if (!may_run()) { co_return; }
  guardian_->signal_workers(signo);
  guardian_->signal_workers(SIGCONT);  // what is stopped would not act on it
  const auto deadline = loop::Notifier::Clock::now() + grace;
  while (may_run() && !hurry && loop::Notifier::Clock::now() < deadline) {
    co_await state_->changed.wait_until(deadline);
  }
  for (const WorkerState& worker : workers()) {
    if (worker.phase == WorkerState::Phase::running) {
      log::warning("worker with pid ", worker.pid, " has not ended on ", command_line::signal_name(signo),
                   ": killing it");
    }
  }
}

asio::awaitable<void> WorkerGroup::kill_rest(std::chrono::milliseconds limit) {
  guardian_->kill_all();
  const auto deadline = loop::Notifier::Clock::now() + limit;
  while (!state_->all_gone && loop::Notifier::Clock::now() < deadline) {
    co_await state_->changed.wait_until(deadline);
  }
  for (const WorkerState& worker : workers()) {
    if (worker.phase == WorkerState::Phase::running) {
      log::error("worker with pid ", worker.pid,
                 " cannot be killed: it does not return from a system call (a hung GPU, ",
                 "network card or file server). Giving it up; the host may need a reboot");
    }
  }
}

}  // namespace mdl::launcher::process
