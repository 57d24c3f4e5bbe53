#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/c10d/c10d_job.hpp"
#include "rendezvous/c10d/rendezvous_client.hpp"
#include "rendezvous/c10d/rendezvous_error.hpp"
#include "rendezvous/c10d/round_keys.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// The rendezvous of a job as one agent takes part in it, with torch's agents and ours as the other nodes. Lives in one
/// io_context. One coroutine at a time, except for stop_watching(). Everything may throw StoreConnectionError when the
/// store is lost: the rendezvous is then of no further use; open a new one.
class C10dRendezvous {
 public:
  /// Hosts the store when the endpoint is this machine's (and nobody else here has its port), and connects to it. Where
  /// an agent of ours hosts the store, agents call its RendezvousService (ServiceClient); elsewhere they contend for
  /// the state (CompareSetClient). Throws StoreConnectionError that names this machine's addresses when nobody can be
  /// reached, and Error when the port of a host cannot be had. `progress`: as of TcpStoreClient::connect().
  static asio::awaitable<std::unique_ptr<C10dRendezvous>> open(
      C10dJob job, std::shared_ptr<client::ConnectProgress> progress = nullptr);
  ~C10dRendezvous();
  C10dRendezvous(const C10dRendezvous&) = delete;
  C10dRendezvous& operator=(const C10dRendezvous&) = delete;

  const NodeDesc& self() const;
  bool hosts_store() const;
  /// Whether an agent of ours does, here or elsewhere, rather than torchrun's.
  bool host_is_ours() const;
  /// Where this node reaches the store.
  const Endpoint& address() const;
  /// Until when next_round() waits; max() without a limit, as a spare node does.
  std::chrono::steady_clock::time_point join_deadline() const;
  /// A further connection to the store, for the keys of a round (round_keys.hpp).
  asio::awaitable<client::TcpStoreClient> connect();
  /// The same with one attempt only.
  asio::awaitable<client::TcpStoreClient::Attempt> try_connect(std::chrono::milliseconds timeout);

  /// Leaves the round this node is in, and becomes part of the next one. Throws RendezvousError.
  asio::awaitable<RendezvousRound> next_round();
  /// Sends heartbeats until something happens to the round.
  asio::awaitable<RoundEvent> watch();
  /// Ends the watch() that goes on, or else the next one in this round, soon; from another coroutine of the same
  /// io_context.
  void stop_watching();
  /// Takes this node alone out of the rendezvous.
  asio::awaitable<void> leave();
  /// Ends the rendezvous for all nodes.
  asio::awaitable<void> close();

 private:
  class Impl;
  explicit C10dRendezvous(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdl::rendezvous::c10d
