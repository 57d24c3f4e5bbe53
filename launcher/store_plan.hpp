#pragma once

#include <cstdint>
#include <string>

#include "launcher/options.hpp"

namespace mdl::launcher {

/// Where the store that the workers meet at listens, and how they are told.
struct StorePlan {
  bool loopback_only = true;
  std::uint16_t port = 0;  ///< 0: any free one
  std::string master_addr = "localhost";
  std::string run_id;
};

/// The store of a job on one node. As torchrun: --standalone, and one node without an endpoint or a port, mean a free
/// port on this host and a fresh run id; --rdzv-backend static takes --master-addr and --master-port (29500), or
/// --rdzv-endpoint in their place. `fresh_id` is used where the run id is made up.
/// Throws UsageError for several nodes (not yet supported), an unknown backend, and an endpoint without a port.
StorePlan plan_store(const LaunchOptions& options, const std::string& fresh_id);

/// A random identifier in the form of a UUID (version 4).
std::string make_uuid();

}  // namespace mdl::launcher
