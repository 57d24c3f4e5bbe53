#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "rendezvous/c10d/c10d_job.hpp"

namespace mdl::launcher::job {

/// Where the nodes of a job have a store in common, and what a node proves itself with there.
struct StorePlace {
  Endpoint address{};
  rendezvous::access::StoreCredential credential{};
  /// The secret as text, where this process has made it up: for others of the same user (see WatchStore).
  std::string made_up_secret{};
};

/// Where that is now; nullopt: nowhere just now, or at all.
using PlaceOfStore = std::function<std::optional<StorePlace>()>;

/// Whose agent hosts that store, as this node sees it.
enum class StoreHost { this_node, another_of_ours, torchruns };

}  // namespace mdl::launcher::job
