#include "rendezvous/server/session_eviction.hpp"

#include <algorithm>
#include <utility>

namespace mdl::rendezvous::server {

std::shared_ptr<TcpStoreSession> longest_burden(const StoreSessions& sessions, std::size_t share) {
  std::shared_ptr<TcpStoreSession> longest;
  for (const auto& [id, session] : sessions) {
    const auto since = session->burden_since();
    if (since && session->burden() >= share && (!longest || *since < *longest->burden_since())) { longest = session; }
  }
  return longest;
}

std::vector<std::shared_ptr<TcpStoreSession>> oldest_unintroduced(const StoreSessions& sessions,
                                                                  TcpStoreSession::Clock::time_point moment,
                                                                  std::size_t most) {
  std::vector<std::pair<store::ClientId, std::shared_ptr<TcpStoreSession>>> strangers;
  for (const auto& [id, session] : sessions) {
    if (session->unknown() && !session->came_after(moment)) { strangers.emplace_back(id, session); }
  }
  const std::size_t count = std::min(strangers.size(), most);
  std::partial_sort(strangers.begin(), strangers.begin() + static_cast<std::ptrdiff_t>(count), strangers.end());
  std::vector<std::shared_ptr<TcpStoreSession>> oldest;
  for (std::size_t i = 0; i < count; ++i) { oldest.push_back(strangers[i].second); }
  return oldest;
}

}  // namespace mdl::rendezvous::server
