#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/job/signatures.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::job {

/// How the agents of a c10d job part when some are done long before the others, so that the store may go with its host
/// and take nobody along: keys beside the failure board's, below "mdl-launch/JOB/round/N/farewell/", which torchrun's
/// agents never look at. Everything may throw StoreConnectionError.
///
/// Each agent signs when it needs the store no more: because it is done and waits no longer, or because it has heard
/// that others are, and goes on with its workers and without a rendezvous. (Agents of mdl-launch before this was made
/// do not sign; the host waits for them in vain, for as long as it is told to.)
class Farewell {
 public:
  /// Where the agents of a round enrol, which must outlive this.
  explicit Farewell(const FailureBoard& board) : board_(board) {}

  /// The agent that hosts the store is done and will end, and the store with it.
  asio::awaitable<void> say(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// Whether it has said so.
  asio::awaitable<bool> was_said(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// This agent needs the store no more; once only.
  asio::awaitable<void> sign(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;
  /// Waits until all agents that enrolled for `round` have signed; false when they have not by `timeout`.
  asio::awaitable<bool> wait_for_signatures(rendezvous::client::TcpStoreClient& store, std::int64_t round,
                                            std::chrono::milliseconds timeout) const;

  /// Removes all of this of `round`, which is over.
  asio::awaitable<void> forget(rendezvous::client::TcpStoreClient& store, std::int64_t round) const;

 private:
  std::string key(std::int64_t round, const char* name) const;
  Signatures signatures(std::int64_t round) const;

  const FailureBoard& board_;
};

}  // namespace mdl::launcher::job
