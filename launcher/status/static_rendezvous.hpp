#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/asio.hpp"
#include "rendezvous/c10d/rank_assignment.hpp"
#include "rendezvous/c10d/rendezvous_state.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::status {

inline constexpr std::size_t kMostMissing = 1000;

/// What the store of a static job, or of one of one node, says of its nodes.
struct StaticRendezvous {
  /// As a rendezvous would have it. A node's address is not in the store: a participant has only its rank, as local_id.
  rendezvous::c10d::RendezvousState state{};
  std::vector<rendezvous::c10d::RoleInfo> workers{};  ///< of the nodes that have come
  std::optional<std::int64_t> nodes{};                ///< that there are to be; of torchrun's jobs nobody says it
  std::vector<std::int64_t> missing{};  ///< of them, of a round that is not complete; kMostMissing at most
};

/// Of the job `run_id`, torchrun's included; nullopt when no node of such a job has been there. `keys` are all of the
/// store, sorted. Throws StoreConnectionError.
asio::awaitable<std::optional<StaticRendezvous>> read_static_rendezvous(rendezvous::client::TcpStoreClient& store,
                                                                        std::string run_id,
                                                                        const std::vector<std::string>& keys);

/// The --rdzv-id of every static job whose keys are among `keys`, sorted.
std::vector<std::string> static_ids(const std::vector<std::string>& keys);

}  // namespace mdl::launcher::status
