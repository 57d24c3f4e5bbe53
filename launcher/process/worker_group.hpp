#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error.hpp"
#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/process/guardian.hpp"

namespace mdl::launcher::process {

/// Why the workers of a job that hangs are ended.
struct JobHang {
  /// A rank of any node.
  struct Rank {
    std::int64_t rank = 0;
    std::int64_t local_rank = 0;
    std::int64_t pid = 0;  ///< 0: not known
    std::string host{};
  };
  std::string why{};              ///< "no step for 600 s (--hang-timeout 600): rank 3 on node1 is stopped (state T)"
  std::optional<Rank> accused{};  ///< that holds the others up; nullopt: nothing tells them apart
};

/// One worker's life as far as the launcher has seen it.
struct WorkerState {
  enum class Phase {
    not_started,   ///< its turn has not come
    cannot_start,  ///< the program could not be loaded; `start_errno` says why
    running,
    exited,
  };
  Phase phase = Phase::not_started;
  pid_t pid = -1;
  int start_errno = 0;
  int wait_status = 0;        ///< as waitpid() gives it
  std::int64_t ended_ns = 0;  ///< nanoseconds since the epoch
  int end_order = 0;          ///< 1 for the first that ended, 2 for the next, …
  bool told_to_stop = false;  ///< the launcher had signalled it before it ended
  /// How long it had hung in the kernel when it was given up, whatever became of it later; else 0.
  std::chrono::duration<double> stuck{};
  /// Why it was given up because the job hangs, whatever became of it later; it need not be the one to blame.
  std::optional<JobHang> hang{};
  std::string expired_timers{};  ///< the names of timers for which it was sent a signal (see FileTimer)

  /// Whether it counts as failed since before its end.
  bool given_up() const { return stuck.count() > 0 || hang.has_value(); }
  bool failed() const {
    return phase == Phase::cannot_start || given_up() || (phase == Phase::exited && wait_status != 0);
  }
};

/// All workers of this node in one attempt: starts them, learns of each end as it happens, stops them together.
class WorkerGroup {
 public:
  /// Starts one worker for each of `specs`; local rank i is specs[i]. `changed` is notified after each event.
  /// Throws Error when the guardian cannot be started.
  WorkerGroup(asio::io_context& io, const std::vector<WorkerSpec>& specs, loop::Notifier& changed);
  /// Kills what is left.
  ~WorkerGroup();
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;

  const std::vector<WorkerState>& workers() const { return state_->workers; }
  bool all_succeeded() const;
  bool any_failed() const;
  bool any_cannot_start() const;
  bool given_up_for_hang() const;
  /// Whether another try on this node would end the same way: a program cannot be loaded, or a worker hangs in the
  /// kernel.
  bool is_hopeless() const;
  int running() const;
  /// Those of them that have not been given up.
  int healthy() const;
  /// Whether no process is left, neither a worker nor what one has started.
  bool all_gone() const { return state_->all_gone; }
  /// The process that all of them descend from, while they are this launcher's to end.
  std::optional<pid_t> root() const { return all_gone() ? std::nullopt : std::optional<pid_t>(guardian_->pid()); }
  /// Why the guardian's messages ended, if they did before their time; all workers count as killed then.
  const std::optional<Error>& failure() const { return state_->failure; }

  /// Signals the process groups of all workers, and waits until the workers have ended, for `grace` at most, or until
  /// `hurry` says that it is enough (looked at after each notification).
  asio::awaitable<void> ask_to_end(int signo, std::chrono::milliseconds grace, const bool& hurry);
  /// Kills what is left, workers and everything they started. Gives up after `limit`: a process in an uninterruptible
  /// system call cannot be killed.
  asio::awaitable<void> kill_rest(std::chrono::milliseconds limit);

  /// Counts a worker that still runs as failed, because it has hung in the kernel for `stuck`.
  void give_up(int local_rank, std::chrono::duration<double> stuck);
  /// The same because the job hangs.
  void give_up(int local_rank, JobHang hang);

  /// Remembers why a signal was sent to `pid`, where that is a worker of this group.
  void note_expired_timers(pid_t pid, const std::string& names);

  /// After all workers have succeeded: lets descendants that they left behind live on, as torchrun does, with `streams`
  /// relayed for as long as they write there. Nothing more is learned of them here.
  void let_go(const std::vector<output::LeftStream>& streams);

 private:
  WorkerState& note_failure(int local_rank);
  /// Shared with the coroutine that reads events, which may end a little after the group.
  struct State {
    explicit State(loop::Notifier& notifier) : changed(notifier) {}
    std::vector<WorkerState> workers;
    loop::Notifier& changed;
    bool stopping = false;
    bool all_gone = false;
    std::optional<Error> failure{};
    int ended = 0;
    std::map<pid_t, std::string> expired_early{};  ///< timers of workers whose start has not been read yet
  };
  static void apply(State& state, const GuardianEvent& event);
  /// All events that are there.
  static void take_events(State& state, Guardian& guardian);
  static asio::awaitable<void> follow_events(std::shared_ptr<State> state, std::shared_ptr<Guardian> guardian,
                                             std::shared_ptr<asio::posix::stream_descriptor> events);

  std::shared_ptr<State> state_;
  std::shared_ptr<Guardian> guardian_;
  std::shared_ptr<asio::posix::stream_descriptor> events_;
};

}  // namespace mdl::launcher::process
