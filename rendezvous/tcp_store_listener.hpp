#pragma once

#include <cstdint>
#include <vector>

#include "rendezvous/asio.hpp"
#include "rendezvous/tcp_store_server.hpp"

namespace mdl {

/// The sockets that listen at `address`, all on one port. Throws Error naming address and port when they cannot be had.
std::vector<asio::ip::tcp::acceptor> listen_at(asio::io_context& io, const ListenAddress& address, std::uint16_t port);

}  // namespace mdl
