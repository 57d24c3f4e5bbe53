#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "rendezvous/asio.hpp"
#include "rendezvous/rendezvous_error.hpp"
#include "rendezvous/rendezvous_step.hpp"
#include "rendezvous/round_keys.hpp"
#include "rendezvous/tcp_store_client.hpp"

namespace mdl {

/// torchrun's default port of --rdzv-backend c10d.
inline constexpr std::uint16_t kC10dPort = 29400;

/// A job to take part in.
struct C10dJob {
  std::string run_id;  ///< --rdzv-id
  Endpoint endpoint;   ///< --rdzv-endpoint: the node that hosts the store; port 0 only where this node is it
  RendezvousSettings settings{};
  std::optional<std::string> local_addr{};         ///< --local-addr
  std::optional<bool> is_host{};                   ///< of --rdzv-conf; else whether `endpoint` is this machine
  std::chrono::milliseconds read_timeout{60'000};  ///< of --rdzv-conf: to reach the store, and for its answers
  std::int64_t local_id = 0;                       ///< tells several agents of one process apart
};

/// What can happen to a node in a complete round.
enum class RoundEvent {
  nodes_waiting,  ///< somebody wants to join: the round should end and the next one begin
  node_lost,      ///< a node of this round has left or has no heartbeats any more
  dropped,  ///< this node is not in the round any more: the others have taken it for dead, or the store began anew
  closed,   ///< the job has ended
  stopped,  ///< stop_watching() was called
};

/// One agent's part in the rendezvous of a job, with torch's agents and ours as the other nodes. Lives in one
/// io_context. One coroutine at a time, except for stop_watching(). Everything may throw StoreConnectionError when the
/// store is lost: the rendezvous is then of no further use; open a new one.
class C10dRendezvous {
 public:
  /// Hosts the store when the endpoint is this machine's (and nobody else here has its port), and connects to it.
  /// Throws StoreConnectionError that names this machine's addresses when nobody can be reached, and Error when the
  /// port of a host cannot be had.
  static asio::awaitable<std::unique_ptr<C10dRendezvous>> open(C10dJob job);
  ~C10dRendezvous();
  C10dRendezvous(const C10dRendezvous&) = delete;
  C10dRendezvous& operator=(const C10dRendezvous&) = delete;

  const NodeDesc& self() const;
  bool hosts_store() const;
  /// The port of the store.
  std::uint16_t port() const;
  /// A further connection to the store, for the keys of a round (round_keys.hpp).
  asio::awaitable<TcpStoreClient> connect();

  /// Leaves the round this node is in, and becomes part of the next one. Throws RendezvousError.
  asio::awaitable<RendezvousRound> next_round();
  /// Sends heartbeats and looks at the state every `interval` until something happens to the round.
  asio::awaitable<RoundEvent> watch(std::chrono::milliseconds interval);
  /// Ends watch() soon, from another coroutine of the same io_context.
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

}  // namespace mdl
