#include "launcher/c10d_job_rendezvous.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "common/log.hpp"
#include "common/str_cat.hpp"
#include "rendezvous/store_connection.hpp"
#include "rendezvous/tcp_store_server.hpp"

namespace mdl::launcher {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kOthersTimeout{300'000};  // torchrun's exit_barrier_timeout
// Losses of the store in a row that are taken for restarts of its host.
constexpr int kMostLosses = 5;

class C10dJobRendezvous : public JobRendezvous {
 public:
  C10dJobRendezvous(asio::io_context& io, C10dJob job, bool agent_store, Notifier& changed)
      : io_(io), job_(std::move(job)), agent_store_(agent_store), changed_(changed), watch_ended_(io) {}

  asio::awaitable<Round> next_round(const LocalGroup& group) override {
    co_await stop_watch();
    for (int losses = 0;;) {
      std::optional<StoreConnectionError> lost;
      try {
        Round round = co_await join(group);
        start_watch();
        co_return round;
      } catch (const StoreConnectionError& error) {
        // A store that cannot be reached at all is not one that was lost; and before the first round, its host has
        // given up rather than been started again.
        if (!rendezvous_ || round_.nodes == 0 || ++losses > kMostLosses) throw;
        lost = error;
      }
      log::warning("the rendezvous' store was lost (", lost->what(), "); looking for it again");
      forget_store();
    }
  }

  asio::awaitable<void> wait_for_the_others() override {
    co_await stop_watch();
    if (!store_) co_return;
    try {
      if (!co_await exit_barrier(*store_, round_, kOthersTimeout)) {
        log::warning("other nodes have not finished 300 s after this one; not waiting any longer");
      }
    } catch (const Error& error) {
      // The store's host may end as soon as all have arrived.
      log::info("while waiting for the other nodes to finish: ", error.what());
    }
    co_await close();
  }

  RoundState state() const override { return state_; }

  asio::awaitable<void> leave() override {
    co_await stop_watch();
    co_await quietly([this]() { return rendezvous_->leave(); });
  }

  asio::awaitable<void> close() override {
    co_await stop_watch();
    co_await quietly([this]() { return rendezvous_->close(); });
  }

 private:
  asio::awaitable<Round> join(const LocalGroup& group) {
    if (!rendezvous_) rendezvous_ = co_await C10dRendezvous::open(job_);
    if (!store_) store_.emplace(co_await rendezvous_->connect());
    round_ = co_await rendezvous_->next_round();
    std::optional<Endpoint> own;
    if (round_.rank == 0) {
      open_worker_store();
      own = Endpoint(rendezvous_->self().addr, workers_->port());
      if (!agent_store_) workers_.reset();  // the port is free for the first worker
    }
    const Endpoint master = co_await share_master(*store_, round_, own, job_.read_timeout);
    RoleInfo info{group.role, round_.rank, group.local_world_size};
    Round round;
    round.ranks = co_await share_ranks(*store_, round_, std::move(info), job_.read_timeout);
    round.group_rank = static_cast<int>(round_.rank);
    round.group_world_size = static_cast<int>(round_.nodes);
    round.master_addr = master.host;
    round.master_port = master.port;
    round.agent_store = agent_store_;
    co_return round;
  }

  /// The round is complete, so all nodes have stopped their workers: nobody uses the store of the last one any more. It
  /// begins anew, empty, at the same port: torchrun's agents keep the port of the first round.
  void open_worker_store() {
    const std::uint16_t port = workers_ ? workers_->port() : 0;
    workers_.reset();
    workers_.emplace(io_, ListenAddress::any(), port);
    workers_->start();
  }

  void forget_store() {
    store_.reset();
    rendezvous_.reset();
  }

  void start_watch() {
    state_ = RoundState::goes_on;
    watching_ = true;
    asio::co_spawn(io_, rendezvous_->watch(), [this](std::exception_ptr error, RoundEvent event) {
      watching_ = false;
      if (error || event == RoundEvent::nodes_waiting || event == RoundEvent::node_lost ||
          event == RoundEvent::dropped) {
        state_ = RoundState::should_end;
      } else if (event == RoundEvent::closed) {
        state_ = RoundState::closed;
      }
      if (error) forget_store();
      watch_ended_.notify();
      changed_.notify();
    });
  }

  asio::awaitable<void> stop_watch() {
    if (watching_) rendezvous_->stop_watching();
    while (watching_) co_await watch_ended_.wait();
  }

  /// What is done on the way out must not hide why.
  template <typename Task>
  asio::awaitable<void> quietly(Task task) {
    if (!rendezvous_) co_return;
    try {
      co_await task();
    } catch (const std::exception& error) {
      log::info("leaving the rendezvous: ", error.what());
    }
  }

  asio::io_context& io_;
  const C10dJob job_;
  const bool agent_store_;
  Notifier& changed_;
  Notifier watch_ended_;
  std::unique_ptr<C10dRendezvous> rendezvous_;
  std::optional<TcpStoreClient> store_;    ///< for the keys of a round
  std::optional<TcpStoreServer> workers_;  ///< the workers' own, while this node is or was the first
  RendezvousRound round_;
  RoundState state_ = RoundState::goes_on;
  bool watching_ = false;
};

}  // namespace

std::unique_ptr<JobRendezvous> make_c10d_rendezvous(asio::io_context& io, const C10dJob& job, bool agent_store,
                                                    Notifier& changed) {
  return std::make_unique<C10dJobRendezvous>(io, job, agent_store, changed);
}

}  // namespace mdl::launcher
