#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/endpoint.hpp"
#include "rendezvous/c10d/rendezvous_state.hpp"
#include "rendezvous/client/connect_failure.hpp"

namespace mdl::launcher::waiting {

/// What each of these sentences says besides. Pure functions, as all here.
struct WaitContext {
  std::string run_id;
  Endpoint store;                                   ///< as the user calls it
  std::optional<std::chrono::milliseconds> left{};  ///< until this node gives up; nothing: it never does
  std::size_t columns = std::string::npos;          ///< names of nodes are left out until a sentence has no more
};

/// How many nodes a job wants.
struct WantedNodes {
  std::int64_t least = 1;
  std::int64_t most = 1;
};

// Each begins with a word such as "waiting", so that it may stand behind "while". Names from the network are cut and
// made harmless for a terminal.

/// Nothing has been seen of the other nodes yet.
std::string wait_for_others(const WaitContext& context);
/// The store does not answer yet; `progress` may say why, or be null.
std::string wait_for_store(const WaitContext& context, const rendezvous::client::ConnectProgress* progress);
/// What to look for when it has not answered for a while, whole sentences. `addresses`: this machine's.
std::string store_advice(const WaitContext& context, const rendezvous::client::ConnectProgress* progress,
                         const std::string& host_name, const std::vector<std::string>& addresses);
/// A c10d job whose round is not whole, as `self` sees it in the store at `now`.
std::string wait_for_nodes(const WaitContext& context, const rendezvous::c10d::RendezvousState& state,
                           const rendezvous::c10d::NodeDesc& self, WantedNodes wanted,
                           rendezvous::c10d::RendezvousTime now);
/// A c10d job whose round is whole, and where the nodes `missing` (by name) have not said how many workers they have.
std::string wait_for_ranks(const WaitContext& context, std::int64_t nodes, const std::vector<std::string>& missing);
/// A static job of so many `nodes`, of which those with the node ranks `missing` have not come.
std::string wait_for_static_nodes(const WaitContext& context, std::int64_t nodes, const std::set<int>& missing);

/// "9 min 55 s", "2 h 3 min", "55 s"; rounded up to whole seconds.
std::string time_text(std::chrono::milliseconds time);

}  // namespace mdl::launcher::waiting
