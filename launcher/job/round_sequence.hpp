#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/job/free_restarts.hpp"
#include "launcher/job/job_rendezvous.hpp"

namespace mdl::launcher::job {

/// The rounds of a job as one agent goes through them: each one's beginning waits as long as the ends of those before
/// ask for (FreeRestarts).
class RoundSequence {
 public:
  /// What is done before each JobRendezvous::next_round(); what it throws ends next().
  using BeforeJoin = std::function<asio::awaitable<void>()>;

  /// `changed` is what `rendezvous` notifies. Both must outlive this.
  RoundSequence(JobRendezvous& rendezvous, loop::Notifier& changed, BeforeJoin before_join = {})
      : rendezvous_(rendezvous), changed_(changed), before_join_(std::move(before_join)) {}

  /// Waits, and agrees with the other nodes on the next round. Throws Error when that cannot be (see
  /// JobRendezvous::next_round()), or when the job has been given up.
  asio::awaitable<void> next(const LocalGroup& group, Round& round);
  /// Nobody waits for next() any more: the agent leaves the job, and must not join again.
  void abandon() { abandoned_ = true; }
  /// The round has ended, after JobRendezvous::end_round(): its workers have lived for `lived`. Throws Error when nodes
  /// have come and gone so often that the job is given up.
  void ended(std::chrono::nanoseconds lived);
  /// Whether it has been, and the other nodes should hear of it.
  bool given_up() const { return given_up_; }

 private:
  asio::awaitable<void> pause();

  JobRendezvous& rendezvous_;
  loop::Notifier& changed_;
  const BeforeJoin before_join_;
  FreeRestarts free_restarts_;
  std::chrono::seconds pause_{0};  ///< before the next round
  bool given_up_ = false;
  bool abandoned_ = false;
};

}  // namespace mdl::launcher::job
