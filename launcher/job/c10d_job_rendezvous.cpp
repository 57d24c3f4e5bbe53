#include "launcher/job/c10d_job_rendezvous.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/endpoint.hpp"
#include "common/log.hpp"
#include "common/loop/background_task.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/farewell.hpp"
#include "launcher/job/rendezvous_link.hpp"
#include "launcher/job/round_remains.hpp"
#include "launcher/job/round_watch.hpp"
#include "launcher/job/spare_nodes.hpp"
#include "launcher/job/worker_store.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"

namespace mdl::launcher::job {
namespace {

using rendezvous::c10d::RoundEvent;
using std::chrono::milliseconds;

// Losses of the store in a row that are taken for restarts of its host.
constexpr int kMostLosses = 5;
// After the rendezvous was closed: for this node's own barrier to end as well.
constexpr milliseconds kCloseGrace{1000};
constexpr milliseconds kSparesTimeout{2000};

class C10dJobRendezvous : public JobRendezvous {
 public:
  C10dJobRendezvous(asio::io_context& io, const rendezvous::c10d::C10dJob& job,
                    const command_line::LaunchOptions& options, loop::Notifier& changed)
      : io_(io),
        job_(job),
        agent_store_(options.agent_store),
        exit_barrier_timeout_(options.exit_barrier_timeout),
        changed_(changed),
        board_(job_.run_id),
        farewell_(board_),
        remains_(board_),
        link_(job, store_reached_),
        watch_(io),
        workers_(io, options.agent_store) {}

  asio::awaitable<std::optional<Round>> next_round(const LocalGroup& group) override {
    const RendezvousLink::Waiting waiting(link_);
    for (int losses = 0;;) {
      co_await watch_.stop();
      if (detached_) {
        throw rendezvous::c10d::RendezvousError(
            rendezvous::c10d::RendezvousError::Reason::closed,
            "other nodes of the job are done and have ended: no further round can begin");
      }
      std::optional<rendezvous::client::StoreConnectionError> lost;
      std::optional<rendezvous::c10d::RendezvousError> ended;
      std::exception_ptr failure;
      try {
        if (std::exchange(lost_, false)) {
          link_.forget();
          remains_.store_is_gone();
        }
        co_await link_.open(round_.nodes > 0);
        Round round = co_await join(group);
        co_return round;
      } catch (const rendezvous::client::StoreConnectionError& error) {
        // A store that cannot be reached at all is not one that was lost; and before the first round, its host has
        // given up rather than been started again.
        if (!link_.is_open() || round_.nodes == 0) { throw; }
        lost = error;
      } catch (const rendezvous::c10d::RendezvousError& error) { ended = error; } catch (const Error&) {
        failure = std::current_exception();
      }
      if (failure) {
        co_await watch_.stop();  // which refers to this object, and may have begun
        std::rethrow_exception(failure);
      }
      if (ended) {
        co_await ignoring_errors([this]() { return learn_root_cause(); });
        co_await leave();
        throw *ended;
      }
      sharing_ = false;
      if (state_ != RoundState::goes_on && !lost_) {  // the round has ended before all knew their ranks
        link_.disconnect();
        co_return std::nullopt;
      }
      if (++losses > kMostLosses) { throw *lost; }
      log::warning("the rendezvous' store was lost (", lost->problem(), "); looking for it again");
      lost_ = true;
    }
  }

  asio::awaitable<void> end_round(std::string failure) override {
    last_end_ = EndedRound{failure.empty() ? RoundEnd::membership : RoundEnd::failure, {}};
    done_elsewhere_ = false;
    co_await watch_.stop();
    if (lost_ || !link_.is_open()) { co_return; }
    try {
      co_await link_.connect();
      co_await share_end(std::move(failure));
    } catch (const std::exception& error) { log::info("the end of the round: ", error.what()); }
    if (!gone_) { start_watch(WatchFor::end_of_job); }
  }

  asio::awaitable<void> wait_for_the_others() override {
    co_await watch_.stop();
    if (!link_.is_connected()) { co_return; }
    const auto deadline = loop::Notifier::Clock::now() + exit_barrier_timeout_;
    const auto all_there = std::make_shared<bool>(false);
    if (!host_left_) { co_await wait_at_barrier(all_there); }
    // The rendezvous may have ended before, but not the workers' store, which nodes that go on may need.
    if (detached_ && !*all_there && !root_cause_ && !waits_no_longer_) { co_await workers_.outlast_clients(deadline); }
  }

  void stop_waiting() override {
    waits_no_longer_ = true;
    changed_.notify();
  }

  RoundState state() const override { return state_; }
  WaitPhase waits_for() const override { return link_.phase(); }
  std::vector<StoreWait> store_waits(std::size_t most) const override { return workers_.waits(most); }
  std::optional<StorePlace> store_place() const override {
    return gone_ || lost_ || host_left_ ? std::nullopt : link_.place();
  }

  /// The others wait for a node that pauses, but for no longer than their join_timeout.
  std::chrono::seconds longest_pause() const override {
    const auto half = std::chrono::floor<std::chrono::seconds>(job_.settings.join_timeout / 2);
    return std::min(FreeRestarts::kLongestPause, half);
  }

  asio::awaitable<std::optional<std::string>> restart_obstacle() override {
    if (detached_) { co_return "other nodes of the job are done and have ended"; }
    if (done_elsewhere_) { co_return "other nodes of the job are done"; }
    co_return std::nullopt;
  }

  asio::awaitable<void> leave() override {
    gone_ = true;
    co_await watch_.stop();
    co_await ignoring_errors([this]() { return sign_off(); });
    co_await ignoring_errors([this]() { return link_.rendezvous().leave(); });
  }

  asio::awaitable<void> fail(report::RootCause cause) override {
    root_cause_ = cause;
    co_await watch_.stop();
    co_await ignoring_errors([this]() { return post_root_cause(); });
    co_await ignoring_errors([this]() { return link_.rendezvous().close(); });
  }

  asio::awaitable<void> agree_on_root_cause() override {
    co_await watch_.stop();
    co_await ignoring_errors([this]() { return learn_root_cause(); });
    if (!link_.hosts_store()) { co_return; }
    co_await ignoring_errors([this]() { return wait_for_readers(board_, link_.store(), round_.number, "the job's"); });
    co_await ignoring_errors([this]() { return wait_for_spares(link_.store(), job_.run_id, kSparesTimeout); });
  }

 private:
  asio::awaitable<Round> join(const LocalGroup& group) {
    state_ = RoundState::goes_on;
    workers_.release_lease();
    co_await link_.connect();
    round_ = co_await link_.next_round();
    signed_ = false;
    // From here on: a node that waits for the others' answers must be seen to live, and one that dies meanwhile must
    // not be waited for.
    sharing_ = true;
    start_watch();
    std::optional<Endpoint> own;
    if (round_.rank == 0) {
      remains_.published_master(round_.number);
      own = workers_.open(job_, link_.rendezvous().self().addr);
    }
    co_await board_.enrol(link_.store(), round_.number);  // before the ranks, so that all have when the workers start
    rendezvous::c10d::RoleInfo info{group.role, round_.rank, group.local_world_size};
    Round round;
    // The first node publishes the master before it assigns the ranks, as torchrun's does. So the others need not wait
    // for a master once they have their ranks; and meanwhile torchrun's agents, whose heartbeats stop while they wait
    // for an answer, have all that they need from this node.
    Endpoint master;
    if (own) { master = co_await rendezvous::c10d::share_master(link_.store(), round_, own, job_.read_timeout); }
    round.ranks = co_await rendezvous::c10d::share_ranks(link_.store(), round_, std::move(info), job_.read_timeout);
    if (!own) { master = co_await rendezvous::c10d::share_master(link_.store(), round_, own, job_.read_timeout); }
    if (!own) { co_await workers_.hold_lease(job_, master); }
    co_await remains_.clear_up(link_.store(), round_);
    round.number = round_.number;
    round.group_rank = static_cast<int>(round_.rank);
    round.group_world_size = static_cast<int>(round_.nodes);
    round.master_addr = master.host;
    round.master_port = master.port;
    round.agent_store = agent_store_;
    sharing_ = false;
    co_return round;
  }

  enum class WatchFor { change, end_of_job };

  void start_watch(WatchFor what = WatchFor::change) {
    state_ = RoundState::goes_on;
    RoundWatch::Rules rules;
    rules.passes_over = [this, what](RoundEvent event) { return passes_over(what, event); };
    rules.take = [this, what](RoundEvent event) { return take(what, event); };
    rules.ended = [this, what](bool failed) {
      if (failed) { lose_store(what); }
      // The ranks of a round that is over are waited for in vain.
      if (sharing_ && link_.is_connected() && state_ != RoundState::goes_on) { link_.store().abort(); }
      changed_.notify();
    };
    watch_.start(link_.rendezvous(), std::move(rules));
  }

  /// A job of one node needs it no more, as when another job's agent takes it along: its workers meet at a store of
  /// their own.
  void lose_store(WatchFor what) {
    lost_ = what == WatchFor::change;
    if (lost_ && !sharing_ && job_.settings.max_nodes == 1) {
      log::warning("the rendezvous' store was lost; this job of one node goes on without it");
    } else {
      state_ = RoundState::should_end;
    }
  }

  asio::awaitable<bool> passes_over(WatchFor what, RoundEvent event) {
    if (event != RoundEvent::nodes_waiting && event != RoundEvent::node_lost) { co_return false; }
    // Nothing for a node that is done; its heartbeats go on.
    if (what == WatchFor::end_of_job) { co_return true; }
    if (sharing_) { co_return false; }
    // A node that is done takes part in no further round, so that a newcomer would cost the others their work.
    // Nor can its loss be made good by one.
    co_await link_.renew();
    co_return co_await rendezvous::c10d::arrived_at_exit_barrier(link_.store(), round_) > 0;
  }

  asio::awaitable<void> take(WatchFor what, RoundEvent event) {
    if (event != RoundEvent::closed) {
      state_ = RoundState::should_end;
      co_return;
    }
    if (sharing_) {
      state_ = RoundState::closed;  // the next join says why
      co_return;
    }
    // At once: the store may be gone with its host by the time that the workers have been stopped.
    done_elsewhere_ = false;
    co_await ignoring_errors([this]() { return learn_root_cause(); });
    // Others that are done and have lost patience close it as well: that is no reason for this node not to finish.
    if (root_cause_ || !done_elsewhere_) {
      state_ = RoundState::closed;
    } else if (what == WatchFor::change) {
      log::news(host_left_ ? "the node that hosts the rendezvous is done and has ended; going on without it"
                           : "other nodes are done and have ended; going on without them");
    }
  }

  asio::awaitable<void> share_end(std::string failure) {
    if (!failure.empty()) {
      // Who is done takes part in no further round: see restart_obstacle().
      done_elsewhere_ = co_await rendezvous::c10d::arrived_at_exit_barrier(link_.store(), round_) > 0;
      co_await board_.pay_for(link_.store(), round_.number, std::move(failure));
    } else {
      last_end_ = co_await board_.end_of(link_.store(), round_.number, round_.nodes);
    }
  }

  asio::awaitable<void> post_root_cause() {
    co_await link_.renew();
    report::RootCause cause = *root_cause_;
    co_await board_.post(link_.store(), std::move(cause));
  }

  asio::awaitable<void> learn_root_cause() {
    co_await link_.renew();
    auto first = co_await board_.read(link_.store());
    if (first) { root_cause_ = std::move(first); }
    if (root_cause_) { co_await sign_board(); }
    done_elsewhere_ = co_await rendezvous::c10d::arrived_at_exit_barrier(link_.store(), round_) > 0;
    if (root_cause_ || !done_elsewhere_) { co_return; }
    const bool host_leaves = co_await farewell_.was_said(link_.store(), round_.number);
    co_await detach();
    host_left_ = host_leaves;  // now that it has been told that this node knows
  }

  asio::awaitable<void> sign_board() {
    if (round_.nodes == 0 || std::exchange(signed_, true)) { co_return; }
    co_await board_.sign(link_.store(), round_.number);
  }

  /// This node leaves and reads nothing more, so that the store's host need not wait for it.
  asio::awaitable<void> sign_off() {
    co_await link_.renew();
    co_await sign_board();
    co_await detach();
  }

  asio::awaitable<void> wait_at_barrier(std::shared_ptr<bool> all_there) {
    start_watch(WatchFor::end_of_job);  // without heartbeats the others would take this node for dead
    const loop::BackgroundTask barrier(io_, [this, all_there] { return arrive(all_there); }, changed_);
    while (!barrier.done() && state_ == RoundState::goes_on && !host_left_ && !waits_no_longer_) {
      co_await changed_.wait();
    }
    // The first one that is through with the barrier closes the rendezvous; the rest hear of both at about once.
    const auto soon = loop::Notifier::Clock::now() + kCloseGrace;
    while (!barrier.done() && !root_cause_ && !waits_no_longer_ && loop::Notifier::Clock::now() < soon) {
      co_await changed_.wait_until(soon);
    }
    if (root_cause_) { co_return; }
    // A failure is none: the store's host may end as soon as all have arrived.
    const bool out_of_time = barrier.done() && !barrier.failed() && !*all_there;
    const bool gives_up = out_of_time || (waits_no_longer_ && !barrier.done());
    if (out_of_time) {
      log::warning("other nodes have not finished ", std::chrono::duration<double>(exit_barrier_timeout_).count(),
                   " s after this one; not waiting any longer");
    }
    if (gives_up) {
      co_await ignoring_errors([this]() { return say_farewell(); });
    }
    co_await close();
    if (gives_up && link_.rendezvous().hosts_store()) {
      co_await ignoring_errors(
          [this]() { return wait_for_readers(farewell_, link_.store(), round_.number, "this one's"); });
    }
  }

  asio::awaitable<void> arrive(std::shared_ptr<bool> all_there) {
    // A connection of its own, as this may go on when nobody waits for it any more.
    rendezvous::client::TcpStoreClient store = co_await link_.rendezvous().connect();
    *all_there = co_await rendezvous::c10d::exit_barrier(store, round_, exit_barrier_timeout_);
    if (*all_there) { co_await board_.post_success(store); }
  }

  asio::awaitable<void> close() {
    co_await watch_.stop();
    co_await ignoring_errors([this]() { return link_.rendezvous().close(); });
    if (link_.hosts_store()) {
      co_await ignoring_errors([this]() { return wait_for_spares(link_.store(), job_.run_id, kSparesTimeout); });
    }
  }

  asio::awaitable<void> say_farewell() {
    co_await link_.renew();
    if (link_.rendezvous().hosts_store()) { co_await farewell_.say(link_.store(), round_.number); }
    co_await detach();
  }

  /// This node needs the rendezvous no more, whatever becomes of its workers.
  asio::awaitable<void> detach() {
    if (round_.nodes == 0 || std::exchange(detached_, true)) { co_return; }
    co_await farewell_.sign(link_.store(), round_.number);
  }

  /// What is done on the way out must not hide why.
  template <typename Task>
  asio::awaitable<void> ignoring_errors(Task task) {
    if (!link_.is_connected() || host_left_) { co_return; }
    try {
      co_await task();
    } catch (const std::exception& error) { log::info("leaving the rendezvous: ", error.what()); }
  }

  asio::io_context& io_;
  const rendezvous::c10d::C10dJob& job_;
  const bool agent_store_;
  const milliseconds exit_barrier_timeout_;
  loop::Notifier& changed_;
  const FailureBoard board_;
  const Farewell farewell_;
  RoundRemains remains_;
  RendezvousLink link_;
  RoundWatch watch_;
  WorkerStore workers_;
  rendezvous::c10d::RendezvousRound round_;
  bool signed_ = false;           ///< the failure board, in this round
  bool done_elsewhere_ = false;   ///< nodes have come to the exit barrier
  bool detached_ = false;         ///< from the rendezvous: the workers go on or have ended, without another round
  bool host_left_ = false;        ///< the store's, as it has said, and the store with it
  bool waits_no_longer_ = false;  ///< stop_waiting() was called
  RoundState state_ = RoundState::goes_on;
  bool gone_ = false;     ///< for good: leave() was called
  bool lost_ = false;     ///< the store; it is looked for anew before the next round
  bool sharing_ = false;  ///< the ranks of a round are being exchanged
};

}  // namespace

std::unique_ptr<JobRendezvous> make_c10d_rendezvous(asio::io_context& io, const rendezvous::c10d::C10dJob& job,
                                                    const command_line::LaunchOptions& options,
                                                    loop::Notifier& changed) {
  return std::make_unique<C10dJobRendezvous>(io, job, options, changed);
}

}  // namespace mdl::launcher::job
