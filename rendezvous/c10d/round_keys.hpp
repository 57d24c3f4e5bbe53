#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/c10d/rank_assignment.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// One complete round of a rendezvous, as this node sees it.
struct RendezvousRound {
  std::string run_id;
  std::int64_t number = 0;
  std::int64_t rank = 0;   ///< of this node
  std::int64_t nodes = 0;  ///< in this round
  std::string first_addr;  ///< of the node with rank 0
};

// What the nodes of a round tell each other through the store, under round_prefix(): the same keys as torch's agents
// use. Each throws RendezvousError (timed_out) that names what did not come, and StoreConnectionError.

/// Where the workers meet: the store of the first node, at MASTER_ADDR and MASTER_PORT. The first node gives its `own`,
/// the others get it.
///
/// torch's agents publish it only in the round in which they become first and keep it for later rounds. So when a round
/// lacks it, the last earlier round with the same first address counts, after kMasterGrace.
asio::awaitable<Endpoint> share_master(client::TcpStoreClient& store, RendezvousRound round,
                                       std::optional<Endpoint> own, std::chrono::milliseconds timeout);
inline constexpr std::chrono::milliseconds kMasterGrace{200};

/// The ranks of this node's workers. All nodes of the round call it, each with its own `info`; the first one assigns.
asio::awaitable<AssignedRanks> share_ranks(client::TcpStoreClient& store, RendezvousRound round, RoleInfo info,
                                           std::chrono::milliseconds timeout);

/// Removes what the nodes told each other in a round that is over, so that the store does not grow with the rounds:
/// `agents` of them, or more, were ours, and `nodes` is how many there probably were. Where MASTER_ADDR is a torch
/// agent's it stays: the later rounds may need it.
asio::awaitable<void> forget_round(client::TcpStoreClient& store, std::string run_id, std::int64_t number,
                                   std::int64_t agents, std::int64_t nodes);
/// Removes the MASTER_ADDR and MASTER_PORT of a round.
asio::awaitable<void> forget_master(client::TcpStoreClient& store, std::string run_id, std::int64_t number);

/// How many nodes of the round have come to the exit barrier.
asio::awaitable<std::int64_t> arrived_at_exit_barrier(client::TcpStoreClient& store, RendezvousRound round);

/// Waits until all nodes of the round are through with their workers. False when they are not by `timeout`.
asio::awaitable<bool> exit_barrier(client::TcpStoreClient& store, RendezvousRound round,
                                   std::chrono::milliseconds timeout);

}  // namespace mdl::rendezvous::c10d
