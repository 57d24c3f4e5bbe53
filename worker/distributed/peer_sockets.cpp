#include "worker/distributed/peer_sockets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "common/parse_number.hpp"

namespace mdl::worker::distributed {
namespace {

std::optional<ino_t> inode_of_socket(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode)) { return std::nullopt; }
  return status.st_ino;
}

bool is_tcp_connection(int descriptor) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
         (peer.ss_family == AF_INET || peer.ss_family == AF_INET6);
}

}  // namespace

std::vector<PeerSocket> open_peer_sockets() {
  std::vector<PeerSocket> sockets;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const auto descriptor = parse_digits<int>(entry.path().filename().string());
    if (!descriptor) { continue; }
    const auto inode = inode_of_socket(*descriptor);
    if (inode && is_tcp_connection(*descriptor)) { sockets.push_back({*descriptor, *inode}); }
  }
  return sockets;
}

std::vector<PeerSocket> new_peer_sockets(const std::vector<PeerSocket>& before, const std::vector<PeerSocket>& after) {
  std::vector<PeerSocket> found;
  for (const PeerSocket& socket : after) {
    if (std::find(before.begin(), before.end(), socket) == before.end()) { found.push_back(socket); }
  }
  return found;
}

void end_connections(const std::vector<PeerSocket>& sockets) {
  for (const PeerSocket& socket : sockets) {
    if (inode_of_socket(socket.descriptor) == socket.inode) { ::shutdown(socket.descriptor, SHUT_RDWR); }
  }
}

}  // namespace mdl::worker::distributed
