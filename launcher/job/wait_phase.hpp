#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "rendezvous/c10d/rendezvous_state.hpp"
#include "rendezvous/client/connect_failure.hpp"

namespace mdl::launcher::job {

/// What a rendezvous waits for at this moment, for whoever tells people.
struct WaitPhase {
  using Clock = std::chrono::steady_clock;
  enum class Step {
    none,   ///< nothing
    store,  ///< to reach the store, which another node may host
    nodes,  ///< for the other nodes to come
    ranks,  ///< all are there; to learn which ranks this node's workers have
  };

  Step step = Step::none;
  std::optional<Clock::time_point> deadline{};  ///< nothing: without limit, as a spare node waits
  std::shared_ptr<const rendezvous::client::ConnectProgress> progress{};  ///< of `store`
  Endpoint store{};                                                       ///< after it: where this node reaches it
  std::optional<rendezvous::c10d::NodeDesc> self{};                       ///< of a c10d job, after `store`
  std::string role_keys{};  ///< of a static job: each node that has come has set the key of this and its rank
};

}  // namespace mdl::launcher::job
