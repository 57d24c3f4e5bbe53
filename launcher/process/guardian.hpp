#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <vector>

#include "common/unique_fd.hpp"
#include "launcher/output/left_stream.hpp"
#include "launcher/process/worker_process.hpp"

namespace mdl::launcher::process {

/// What the guardian tells the launcher. One message each, in the order in which it happened.
struct GuardianEvent {
  enum class Kind : int {
    started,       ///< worker `local_rank` runs as `pid`
    start_failed,  ///< it could not be started; `value` is the errno
    exited,        ///< it ended; `value` is its wait status
    all_gone,      ///< no process of this group is left: they ended by themselves, or after kill_all()
  };
  Kind kind;
  int local_rank;
  pid_t pid;
  int value;
  std::int64_t time_ns;  ///< when, in nanoseconds since the epoch
};

/// A small process between the launcher and its workers: their parent, and, as a child subreaper, the adoptive parent
/// of everything they leave behind. That makes two promises possible which the launcher cannot keep itself: when the
/// launcher dies, even by SIGKILL, the guardian (which sees the end of their socket) kills every worker and every
/// descendant of one, also those in sessions of their own; and signals never reach a reused pid, because only the
/// guardian reaps workers. When the guardian is killed instead, the kernel kills its workers and the launcher adopts
/// the rest.
///
/// When all workers have ended well the guardian is let go: what they left behind lives on, as under torchrun.
///
/// A guardian serves one start of a worker group; a restart gets a new one. Its workers are started as soon as it runs.
class Guardian {
 public:
  /// Starts it and has it start `workers`, whose descriptors may be closed when this returns. Throws Error when the
  /// process cannot be made. The caller must be single-threaded.
  explicit Guardian(const std::vector<WorkerSpec>& workers);
  /// Kills what is left, as the launcher's death would, and does not wait for it: see reap_ended_guardians().
  ~Guardian();
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;

  /// Becomes readable when next_event() has something to say. Non-blocking.
  int event_fd() const { return control_.get(); }
  /// The next event that has arrived, if any. Throws Error when the guardian has died.
  std::optional<GuardianEvent> next_event();

  /// Sends `signo` to the process group of every worker that has not exited.
  void signal_workers(int signo);
  /// Sends SIGKILL to all workers and all their descendants until none is left; all_gone follows.
  void kill_all();
  /// Leaves descendants of the workers alone from now on. Only once all workers have exited. The guardian stays behind,
  /// also after the launcher's end: it relays what still comes through `streams` (see relay_output), and remains the
  /// parent of those that it has adopted, because some have asked the kernel for a signal at their parent's end.
  /// `nobody_left` says that there are none: then its own end is waited for.
  void let_go(const std::vector<output::LeftStream>& streams, bool nobody_left);

  pid_t pid() const { return pid_; }
  /// A descriptor that becomes readable when the guardian's process ends, for who lets this object go before. Empty
  /// once it was waited for in let_go(), and where the kernel has no such thing (before Linux 5.3).
  UniqueFd end_fd() const;

 private:
  void send(int command, int argument) const;

  UniqueFd control_;
  pid_t pid_ = -1;
};

/// Reaps the guardians whose objects are gone and that have ended since. Every ~Guardian() does it as well.
void reap_ended_guardians();

/// Makes this process adopt orphaned descendants, so that the death of a guardian cannot let one escape.
void adopt_orphans();

/// Kills and reaps every child and descendant of this process, for at most `limit`. False when some are left.
bool kill_and_reap_all(std::chrono::milliseconds limit);

}  // namespace mdl::launcher::process
