#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "rendezvous/server/tcp_store_session.hpp"

/// Which clients a server that is short of something does without.
namespace mdl::rendezvous::server {

using StoreSessions = std::unordered_map<store::ClientId, std::shared_ptr<TcpStoreSession>>;

/// Of those that burden the server with `share` bytes or more, the one that has done so for longest; null for none.
std::shared_ptr<TcpStoreSession> longest_burden(const StoreSessions& sessions, std::size_t share);

/// The `most` oldest of those that came before `moment` and have not introduced themselves since.
std::vector<std::shared_ptr<TcpStoreSession>> oldest_unintroduced(const StoreSessions& sessions,
                                                                  TcpStoreSession::Clock::time_point moment,
                                                                  std::size_t most);

}  // namespace mdl::rendezvous::server
