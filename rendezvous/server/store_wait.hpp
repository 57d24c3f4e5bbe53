#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mdl::rendezvous::server {

/// A client that waits for keys of a store which are not there.
struct StoreWait {
  std::string peer{};               ///< its end of the connection, "ADDRESS:PORT" as loop::describe() has it
  std::vector<std::string> keys{};  ///< at most kMostWaitKeys, as their users spell them; not cut, any bytes
  double seconds = 0;               ///< how long it has waited
};

inline constexpr std::size_t kMostWaitKeys = 4;

}  // namespace mdl::rendezvous::server
