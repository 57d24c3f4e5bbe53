#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/loop/asio.hpp"
#include "rendezvous/server/tcp_store_server.hpp"

namespace mdl::rendezvous::server {

/// The sockets that listen at `address`, all on one port. Throws Error naming address and port when they cannot be had.
std::vector<asio::ip::tcp::acceptor> listen_at(asio::io_context& io, const ListenAddress& address, std::uint16_t port);

/// What becomes of the connections that come.
class ConnectionTaker {
 public:
  virtual ~ConnectionTaker() = default;
  /// A new connection, configured as the store's are.
  virtual void take(asio::ip::tcp::socket socket) = 0;
  /// The process has no descriptor for another one: frees some. False when it can free none.
  virtual bool make_room() = 0;
};

/// Takes all connections until `acceptor`, which lives as long as `taker`, is closed. When the process is out of
/// descriptors, and no room can be made, those who wait are left alone for a while; the first time is logged.
asio::awaitable<void> accept_connections(asio::ip::tcp::acceptor& acceptor, std::shared_ptr<ConnectionTaker> taker);

}  // namespace mdl::rendezvous::server
