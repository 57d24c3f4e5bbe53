#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "common/loop/asio.hpp"
#include "launcher/job/store_place.hpp"
#include "launcher/job/wait_phase.hpp"
#include "rendezvous/c10d/c10d_job.hpp"
#include "rendezvous/c10d/c10d_rendezvous.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// A job's rendezvous, and the connection to its store for the keys of a round, as they come, break and are made anew.
class RendezvousLink {
 public:
  /// `reached` is called after the rendezvous was opened, with whose agent hosts its store. Both must outlive this.
  RendezvousLink(const rendezvous::c10d::C10dJob& job, const std::function<void(StoreHost)>& reached)
      : job_(job), reached_(reached) {}

  /// Opens the rendezvous unless it is open. Throws as C10dRendezvous::open() does, and what `reached` throws; `again`
  /// says that there was one before, whose store was lost.
  asio::awaitable<void> open(bool again);
  /// C10dRendezvous::next_round(), while this is open.
  asio::awaitable<rendezvous::c10d::RendezvousRound> next_round();
  /// What is waited for now; nothing before open(), and after the end of a Waiting.
  WaitPhase phase() const;
  /// Lives for as long as open(), next_round() and what follows until the workers start may wait for something.
  class Waiting {
   public:
    explicit Waiting(RendezvousLink& link) : link_(link) {}
    ~Waiting() { link_.phase_ = WaitPhase(); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    RendezvousLink& link_;
  };

  /// Makes the connection for the keys of a round, or looks after it with renew(). Throws StoreConnectionError.
  asio::awaitable<void> connect();
  /// The connection lies idle while the workers run, and may have broken since. One attempt to make it anew; if that
  /// fails, whoever uses it next is told.
  asio::awaitable<void> renew();
  void disconnect() { store_.reset(); }
  /// The store is lost: the next open() looks for it anew.
  void forget();

  /// Where the store is, while open.
  std::optional<StorePlace> place() const;
  bool is_open() const { return rendezvous_ != nullptr; }
  bool is_connected() const { return is_open() && store_.has_value(); }
  bool hosts_store() const { return is_open() && rendezvous_->hosts_store(); }
  /// Only while open, and while connected.
  rendezvous::c10d::C10dRendezvous& rendezvous() { return *rendezvous_; }
  rendezvous::client::TcpStoreClient& store() { return *store_; }

 private:
  void begin(WaitPhase::Step step, std::chrono::milliseconds limit);

  const rendezvous::c10d::C10dJob& job_;
  const std::function<void(StoreHost)>& reached_;
  WaitPhase phase_;
  std::unique_ptr<rendezvous::c10d::C10dRendezvous> rendezvous_;
  std::optional<rendezvous::client::TcpStoreClient> store_;
};

}  // namespace mdl::launcher::job
