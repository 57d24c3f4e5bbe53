#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"
#include "launcher/command_line/launch_plan.hpp"
#include "launcher/job/free_restarts.hpp"
#include "launcher/job/store_place.hpp"
#include "launcher/job/wait_phase.hpp"
#include "launcher/report/root_cause.hpp"
#include "rendezvous/c10d/rank_assignment.hpp"
#include "rendezvous/server/store_wait.hpp"

namespace mdl::launcher::job {

using rendezvous::server::StoreWait;

/// What this node brings to a round.
struct LocalGroup {
  std::string role;
  int local_world_size = 1;
};

/// What this node gets from a round: who its workers are among all, and where they meet.
struct Round {
  std::int64_t number = 0;  ///< from 0, as long as the store lives
  int group_rank = 0;
  int group_world_size = 1;
  rendezvous::c10d::AssignedRanks ranks;
  std::string master_addr;
  std::uint16_t master_port = 0;
  bool agent_store = true;  ///< whether the store there is an agent's; else the first worker has to bring it
};

/// What has become of the round of now.
enum class RoundState {
  goes_on,
  should_end,  ///< nodes wait to join, or have left, or the store was lost: time for the next round
  closed,      ///< another node has ended the job
};

/// How the nodes of a job agree on a round of workers; one round for each (re)start. Runs on the caller's io_context.
class JobRendezvous {
 public:
  virtual ~JobRendezvous() = default;
  /// Agrees on the next round; nullopt when it has broken off before its workers could start: end_round() and try
  /// again. Throws Error when that cannot be (a port in use, nobody answers in time).
  virtual asio::awaitable<std::optional<Round>> next_round(const LocalGroup& group) = 0;
  /// What next_round() waits for now, for people.
  virtual WaitPhase waits_for() const { return {}; }
  /// Where the nodes may tell each other how they get on, beside all of this; nullopt: nowhere now.
  virtual std::optional<StorePlace> store_place() const { return std::nullopt; }
  /// Called each time that this store has been reached and it is known who hosts it, before next_round() returns, and
  /// on the host before it waits for others. What the call throws, next_round() throws.
  using StoreReached = std::function<void(StoreHost)>;
  void when_store_is_reached(StoreReached call) { store_reached_ = std::move(call); }
  /// Who waits for keys in the workers' store, as far as this node hosts it: at most `most` clients.
  virtual std::vector<StoreWait> store_waits(std::size_t) const { return {}; }
  /// How long this node may pause before next_round(), as far as the others wait for it.
  virtual std::chrono::seconds longest_pause() const { return FreeRestarts::kLongestPause; }
  /// The round of now is over for this node, which stops its workers, for the failure of one of them or not, and will
  /// call next_round(). Until then it stays in the round: the others must not take it for gone, and its place for free.
  /// Tells the others of a failure, which `failure` says in words (empty: there was none here), and learns of theirs.
  /// Does not throw.
  virtual asio::awaitable<void> end_round(std::string failure) = 0;
  /// Why the round has ended: after end_round(). The failure is that of another node.
  const EndedRound& last_end() const { return last_end_; }
  /// After this node's workers have succeeded: waits for the other nodes, for at most the exit barrier's time, so that
  /// a store which this node hosts outlives their workers; ends as well when the job fails (see root_cause()). Does not
  /// throw; what goes wrong is logged.
  virtual asio::awaitable<void> wait_for_the_others() = 0;
  /// wait_for_the_others() is to wait no longer, as at the end of the exit barrier's time.
  virtual void stop_waiting() {}
  virtual RoundState state() const { return RoundState::goes_on; }
  /// Why this node's workers cannot be started again although restarts are left; nullopt when they can. Does not throw.
  virtual asio::awaitable<std::optional<std::string>> restart_obstacle() { co_return std::nullopt; }
  /// This node goes, the others may go on without it. Does not throw.
  virtual asio::awaitable<void> leave() { co_return; }
  /// Workers of this node have failed for good: tells the other nodes why, which ends the job for all of them. Does not
  /// throw.
  virtual asio::awaitable<void> fail(report::RootCause) { co_return; }
  /// The last thing a node of a failed job does: learns which failure was the first of all nodes, and goes on hosting
  /// the store until the others have learnt it as well, for some seconds at most. Does not throw.
  virtual asio::awaitable<void> agree_on_root_cause() { co_return; }
  /// The first failure of the job, as far as this node has been told; nullopt also when only torchrun's agents know.
  const std::optional<report::RootCause>& root_cause() const { return root_cause_; }

 protected:
  StoreReached store_reached_ = [](StoreHost) {};
  std::optional<report::RootCause> root_cause_{};
  EndedRound last_end_{};
};

/// The rendezvous that `plan` asks for; `changed` is notified when state() becomes another. Both must outlive it.
std::unique_ptr<JobRendezvous> make_rendezvous(asio::io_context& io, const command_line::LaunchPlan& plan,
                                               loop::Notifier& changed);

}  // namespace mdl::launcher::job
