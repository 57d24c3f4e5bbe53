#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "rendezvous/access/store_handshake.hpp"
#include "rendezvous/c10d/rendezvous_state.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::rendezvous::c10d {

/// What somebody who takes no part in a rendezvous can see of it.
struct RendezvousReport {
  /// Participants with their ranks, wait list, spare nodes, round, complete, closed, last heartbeats; nothing when no
  /// node of this job has been at the store.
  std::optional<RendezvousState> state{};
  std::optional<Endpoint> master{};       ///< MASTER_ADDR and MASTER_PORT of the round, once they are there
  std::vector<std::string> other_jobs{};  ///< the --rdzv-id of every other rendezvous in the same store, sorted
  std::vector<std::string> keys{};        ///< all of the store, sorted
};

/// Reads the rendezvous `run_id` from the store at `endpoint`, ours or torch's, and changes nothing there. Throws
/// StoreConnectionError when the store is not reached within `timeout`, and Error when what lies there is no state.
asio::awaitable<RendezvousReport> read_rendezvous(Endpoint endpoint, access::StoreCredential credential,
                                                  std::string run_id, std::chrono::milliseconds timeout);

/// The same from a store that is connected to; throws StoreConnectionError when that is lost.
asio::awaitable<RendezvousReport> read_rendezvous(client::TcpStoreClient& store, std::string run_id);

/// The --rdzv-id of every rendezvous whose keys are among `keys` (of a TCPStore, as its users spell them), sorted. An
/// id that itself ends in ".NUMBER" cannot be told from a round and is left out.
std::vector<std::string> rendezvous_ids(const std::vector<std::string>& keys);

}  // namespace mdl::rendezvous::c10d
