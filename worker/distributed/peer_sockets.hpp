#pragma once

#include <sys/types.h>

#include <vector>

namespace mdl::worker::distributed {

/// A TCP connection of this process.
struct PeerSocket {
  int descriptor = -1;
  ino_t inode = 0;  ///< tells whether the descriptor is still the same connection

  bool operator==(const PeerSocket&) const = default;
};

/// All that are open now.
std::vector<PeerSocket> open_peer_sockets();

/// Those of `after` that are not in `before`: whose connections were made in between, by one that does not tell them.
std::vector<PeerSocket> new_peer_sockets(const std::vector<PeerSocket>& before, const std::vector<PeerSocket>& after);

/// Ends the connections that are still there, as if the other side had: who reads or writes on them gets an error.
/// Their owner keeps and closes the descriptors.
void end_connections(const std::vector<PeerSocket>& sockets);

}  // namespace mdl::worker::distributed
