#include "launcher/agent.hpp"

#include <signal.h>

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "common/error.hpp"
#include "common/host.hpp"
#include "common/join.hpp"
#include "common/log.hpp"
#include "common/loop/background_task.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/attempt.hpp"
#include "launcher/bounded_wait.hpp"
#include "launcher/command_line/signal_names.hpp"
#include "launcher/event_recorder.hpp"
#include "launcher/failure_reporter.hpp"
#include "launcher/job/job_rendezvous.hpp"
#include "launcher/job_watcher.hpp"
#include "launcher/opening_words.hpp"
#include "launcher/output/output_mux.hpp"
#include "launcher/output/run_folder.hpp"
#include "launcher/process/last_words.hpp"
#include "launcher/process/stop_signals.hpp"
#include "launcher/public_view.hpp"
#include "launcher/report/failure_report.hpp"
#include "launcher/restart_policy.hpp"
#include "launcher/round_entry.hpp"
#include "launcher/watchdog/file_timer.hpp"
#include "launcher/watchdog/stuck_workers.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"

namespace mdl::launcher {
namespace {

using namespace std::chrono_literals;

constexpr auto kTellLimit = 10s;  // for a store that does not answer

/// An io_context whose coroutines can be ended while what they refer to is still there.
class Loop : public asio::io_context {
 public:
  void end_coroutines() { shutdown(); }
};

class Agent {
 public:
  explicit Agent(const command_line::LaunchPlan& plan)
      : plan_(plan),
        changed_(io_),
        rendezvous_(job::make_rendezvous(io_, plan, changed_)),
        view_(io_, plan, *rendezvous_, output_),
        output_(io_),
        folder_(plan.options.logs.log_dir, command_line::run_id_of(plan.store)),
        timer_(watchdog::serve_timers(
            io_, plan.environment, folder_.path(),
            [this] { return attempt_ ? attempt_->group().root() : std::nullopt; },
            [this](pid_t pid, auto& names) { attempt_->group().note_expired_timers(pid, names); })),
        stuck_watch_(plan.environment),
        watcher_(
            io_, plan, *rendezvous_, folder_, [this] { return attempt_ ? &attempt_->group() : nullptr; }, changed_),
        events_(plan, watcher_.teller()),
        reporter_(plan, folder_),
        restarts_left_(plan.options.max_restarts),
        entry_(io_, plan, *rendezvous_, changed_),
        signals_(io_, plan.options.signals_to_handle, [this] { on_signal(); }),
        wait_(changed_, signals_) {
    process::adopt_orphans();
  }

  // Steps that nobody waited for any longer (wait_) refer to the members.
  ~Agent() { io_.end_coroutines(); }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  int run() {
    say_opening_words(plan_, folder_);
    std::exception_ptr failure;
    asio::co_spawn(
        io_, [this] { return work(); },
        [&](std::exception_ptr error) {
          failure = std::move(error);
          io_.stop();
        });
    io_.run();
    signals_.ignore();
    if (failure) { std::rethrow_exception(failure); }
    return exit_code_;
  }

 private:
  /// The job from its first round to its end; leaves `exit_code_` behind. (All coroutines here return void: of one that
  /// returned int, GCC 12 took a wrong address of its frame.)
  asio::awaitable<void> work() {
    std::exception_ptr failure;
    try {
      co_await work_in_rounds();
    } catch (const std::exception& error) {
      failure = std::current_exception();
      own_failure_ = report::describe_own_failure(host_name(), static_cast<int>(round_.ranks.base_global_rank), error);
    }
    if (failure && (in_round_ || entry_.given_up())) {
      // The others could go on without a node that found no round, but not without one that has broken its own.
      const loop::BackgroundTask telling = begin([this] { return tell_own_failure(); });
      co_await wait_.until_deadline(telling, kTellLimit);
    } else if (entry_.held_out()) {
      const loop::BackgroundTask leaving = begin([this] { return rendezvous_->leave(); });
      co_await wait_.until_deadline(leaving, kTellLimit);
    }
    co_await end_view();
    if (failure) { std::rethrow_exception(failure); }
  }

  asio::awaitable<void> end_view() {
    const std::string name = signals_.last() ? command_line::signal_name(*signals_.last()) : std::string();
    const loop::BackgroundTask telling = begin([this, name] { return view_.launcher_ends(name); });
    co_await wait_.until_deadline(telling, kTellLimit);
  }

  asio::awaitable<void> work_in_rounds() {
    co_await begin_round();
    while (attempt_) {
      events_.look_at(attempt_->group().workers(), round_, restart_count());
      if (ended_by_others()) {
        co_await fail();
        co_return;
      }
      switch (decide(observe(), restarts_left_)) {
        case Decision::go_on:
          co_await stuck_watch_.wait(attempt_->group(), changed_);
          break;
        case Decision::finish:
          co_await succeed();
          co_return;
        case Decision::restart_for_free:
          co_await follow_membership();
          break;
        case Decision::restart:
          co_await restart();
          break;
        case Decision::give_up:
          co_return co_await fail();
        case Decision::obey_signal:
          co_return co_await obey_signal();
      }
    }
  }

  GroupObservation observe() const {
    GroupObservation seen;
    seen.all_succeeded = attempt_->group().all_succeeded();
    seen.any_failed = attempt_->group().any_failed();
    seen.hopeless = attempt_->group().is_hopeless();
    seen.signalled = signals_.last().has_value();
    seen.membership_changed = rendezvous_->state() == job::RoundState::should_end;
    return seen;
  }

  /// `step` returns an awaitable. (A function, because GCC 12 destroys an awaitable that is handed on twice.)
  template <typename Step>
  loop::BackgroundTask begin(Step step) {
    return loop::BackgroundTask(io_, std::move(step), changed_);
  }

  asio::awaitable<void> begin_round() {
    std::optional<rendezvous::c10d::RendezvousError> ended;
    try {
      const loop::BackgroundTask agreeing = begin([this] { return agree_on_round(); });
      co_await wait_.until_signal(agreeing);
      if (!signals_.last()) {
        agreeing.rethrow();
      } else if (!agreeing.done()) {
        entry_.interrupt(*signals_.last());
      }
    } catch (const rendezvous::c10d::RendezvousError& error) { ended = error; }
    if (ended) {
      end_without_round(*ended);
    } else if (!signals_.last()) {
      start_workers();
    }
  }

  /// The job has ended before this node could be part of a round of it.
  void end_without_round(const rendezvous::c10d::RendezvousError& error) {
    attempt_.reset();
    exit_code_ = reporter_.report_without_round(error, rendezvous_->root_cause(), restart_count());
  }

  asio::awaitable<void> agree_on_round() {
    const job::LocalGroup group{plan_.options.role, plan_.local_world_size};
    in_round_ = false;
    const auto began = loop::Notifier::Clock::now();
    co_await entry_.enter(group, round_);
    in_round_ = true;
    events_.round_begins(round_, restart_count(), loop::Notifier::Clock::now() - began);
  }

  int restart_count() const { return plan_.options.max_restarts - restarts_left_; }

  void start_workers() {
    attempt_.reset();  // what is left of the last one ends before the next begins
    ServedPaths served;
    if (timer_) { served.timer_file = timer_->path(); }
    served.progress = watcher_.begin(round_);
    attempt_ = std::make_unique<Attempt>(io_, plan_, round_, restart_count(), folder_, output_, changed_, served);
    workers_began_ = loop::Notifier::Clock::now();
    view_.workers_begin(round_, plan_.local_world_size);
  }

  asio::awaitable<void> stop_workers(int signo) {
    signals_.begin_stopping();
    watcher_.stop();
    process::WorkerGroup& group = attempt_->group();
    const auto grace = std::chrono::seconds(plan_.options.shutdown_timeout);
    co_await process::end_by_signal(group, output_, changed_, signo, grace, signals_.hurry());
    signals_.end_stopping();
    if (group.failure()) { log::error(group.failure()->what()); }
  }

  asio::awaitable<void> succeed() {
    const loop::BackgroundTask ending =
        begin([this] { return process::end_well(attempt_->group(), output_, changed_); });
    co_await wait_.until_written(ending, output_);
    events_.job_ends(attempt_->describe_workers(), round_, restart_count());
    const loop::BackgroundTask waiting = begin([this] { return rendezvous_->wait_for_the_others(); });
    co_await wait_.until_signal(waiting);
    if (signals_.last()) {
      // The others go on without this node, whose store may be theirs.
      if (round_.group_world_size > 1) {
        log::news("received ", command_line::signal_name(*signals_.last()),
                  ": not waiting for the other nodes any longer");
      }
      rendezvous_->stop_waiting();
      co_await wait_.until_deadline(waiting, kTellLimit);
      co_return;
    }
    if (rendezvous_->root_cause()) {
      reporter_.report_elsewhere(describe_failure(), rendezvous_->root_cause());
      const loop::BackgroundTask agreeing = begin([this] { return rendezvous_->agree_on_root_cause(); });
      co_await wait_.until_deadline(agreeing, kTellLimit);
    }
    exit_code_ = 0;  // as torchrun: what this node had to do has been done
  }

  asio::awaitable<void> fail_instead_of_restart(std::string obstacle) {
    log::warning("not restarting the workers: ", obstacle);
    co_await fail();
    attempt_.reset();
  }

  asio::awaitable<void> restart() {
    std::optional<std::string> obstacle = co_await rendezvous_->restart_obstacle();
    if (obstacle) { co_return co_await fail_instead_of_restart(std::move(*obstacle)); }
    std::string failure = events_.restarts(attempt_->describe_workers(), restart_count() + 1);
    co_await end_round(std::move(failure));
    if (signals_.last()) { co_return; }
    obstacle = co_await rendezvous_->restart_obstacle();  // others may have been done while these were stopped
    if (obstacle) { co_return co_await fail_instead_of_restart(std::move(*obstacle)); }
    --restarts_left_;
    co_await begin_round();
  }

  asio::awaitable<void> follow_membership() {
    std::string no_failure;
    co_await end_round(std::move(no_failure));
    if (signals_.last()) { co_return; }
    co_await begin_round();
  }

  asio::awaitable<void> finish_output() {
    const loop::BackgroundTask flushing = begin([this] { return output_.finish(); });
    co_await wait_.until_written(flushing, output_);
  }

  /// `failure`: of a worker of this node, in words.
  asio::awaitable<void> end_round(std::string failure) {
    const auto lived = loop::Notifier::Clock::now() - workers_began_;
    // Before this node's workers are stopped, which may take long.
    const loop::BackgroundTask telling = begin([this, failure] { return rendezvous_->end_round(failure); });
    if (failure.empty()) {
      co_await wait_.until_deadline(telling, 1s);  // for the store to say why
      events_.round_ends(round_,
                         telling.done() ? rendezvous_->last_end() : job::EndedRound{job::RoundEnd::unknown, {}});
    }
    co_await stop_workers(SIGTERM);
    watcher_.end();
    co_await finish_output();
    co_await wait_.until_signal(telling);
    if (!signals_.last()) { co_return entry_.round_ended(lived); }
    co_await wait_.until_deadline(telling, kTellLimit);  // it has the connection that leaving needs
  }

  bool ended_by_others() const {
    return rendezvous_->state() == job::RoundState::closed && !attempt_->group().all_succeeded() && !signals_.last();
  }

  report::FailureReport describe_failure() const {
    return reporter_.describe(attempt_->describe_workers(), restart_count());
  }

  /// The end of a job that has failed, here or on another node, or on both: stops the workers, and reports which
  /// failure was the first of all.
  asio::awaitable<void> fail() {
    const bool failed_here = attempt_->group().any_failed();
    if (failed_here) { co_await hear_last_words(); }
    // Before this node's workers are stopped, which may take long.
    if (failed_here) { events_.fails(attempt_->describe_workers()); }
    const loop::BackgroundTask telling = begin([this] { return tell_the_others(); });
    events_.job_fails(attempt_->group(), failed_here);
    co_await stop_workers(SIGTERM);
    co_await finish_output();
    co_await wait_.until_deadline(telling, kTellLimit);
    if (telling.done()) {  // not at the same time: both use the same connection
      const loop::BackgroundTask agreeing = begin([this] { return rendezvous_->agree_on_root_cause(); });
      co_await wait_.until_deadline(agreeing, kTellLimit);
    }
    report_failure(failed_here);
  }

  asio::awaitable<void> tell_the_others() {
    std::optional<report::RootCause> cause = report::describe_root_cause(describe_failure());
    if (cause) { co_await rendezvous_->fail(std::move(*cause)); }
  }

  asio::awaitable<void> tell_own_failure() {
    report::RootCause cause = *own_failure_;
    co_await rendezvous_->fail(std::move(cause));
    co_await rendezvous_->agree_on_root_cause();
  }

  /// What the worker that failed first has left in its pipes.
  asio::awaitable<void> hear_last_words() {
    const auto first = report::root_cause(attempt_->describe_workers());
    if (first) { co_await process::hear_worker(output_, static_cast<int>(*first), changed_, signals_.hurry()); }
  }

  void report_failure(bool failed_here) {
    const report::FailureReport failure = describe_failure();
    events_.job_ends(failure.workers, round_, restart_count());
    const auto& cause = rendezvous_->root_cause();
    exit_code_ =
        failed_here ? reporter_.report_own(failure, cause, *attempt_) : reporter_.report_elsewhere(failure, cause);
  }

  asio::awaitable<void> obey_signal() {
    entry_.abandon();
    const std::string name = command_line::signal_name(*signals_.last());
    const int running = attempt_->group().running();
    log::news("received ", name, ": passing it on to ", counted(running, "worker"), ", with ",
              plan_.options.shutdown_timeout, " s to end; a second signal kills what is left");
    events_.signalled(name);
    co_await stop_workers(*signals_.last());
    co_await end_view();
    const loop::BackgroundTask leaving = begin([this] { return rendezvous_->leave(); });
    co_await wait_.until_deadline(leaving, kTellLimit);
    co_await finish_output();
    events_.agent_fails(round_, restart_count());
    log::news("ended by ", name);
  }

  void on_signal() {
    if (signals_.hurry()) { output_.give_up(); }
    changed_.notify();
  }

  const command_line::LaunchPlan& plan_;
  Loop io_;
  loop::Notifier changed_;
  std::unique_ptr<job::JobRendezvous> rendezvous_;
  PublicView view_;
  job::Round round_;  ///< the one that the workers of now belong to
  bool in_round_ = false;
  std::optional<report::RootCause> own_failure_;  ///< why this launcher ends the job, once it does
  output::OutputMux output_;
  output::RunFolder folder_;
  std::unique_ptr<watchdog::FileTimer> timer_;  ///< empty unless the user wants it
  watchdog::StuckWatch stuck_watch_;
  JobWatcher watcher_;
  EventRecorder events_;
  const FailureReporter reporter_;
  std::unique_ptr<Attempt> attempt_;
  int exit_code_ = kExitFailure;
  int restarts_left_;
  RoundEntry entry_;
  loop::Notifier::Clock::time_point workers_began_{};
  process::StopSignals signals_;  ///< late, for until the loop runs a signal can only do what it does by itself
  const BoundedWait wait_;
};

}  // namespace

int run_agent(const command_line::LaunchPlan& plan) {
  return Agent(plan).run();
}

}  // namespace mdl::launcher
