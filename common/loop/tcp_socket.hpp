#pragma once

#include <string>

#include "common/loop/asio.hpp"

namespace mdl::loop {

/// The address as text; an IPv4 address that came through an IPv6 socket is shown as IPv4.
std::string describe(const asio::ip::address& address);
/// "10.0.0.7:51234" or "[fe80::1]:51234"; an IPv4 address that came through an IPv6 socket is shown as IPv4. Never
/// looks a name up.
std::string describe(const asio::ip::tcp::endpoint& endpoint);
/// The same for the other end of a connection; "a client that is gone" when the kernel no longer knows it.
std::string describe_peer(const asio::ip::tcp::socket& socket);

/// Keeps the descriptor from the programs that this process starts.
void close_on_exec(int fd);

/// What both ends of a store connection need: non-blocking, no delay for small messages, and keep-alive probes, so that
/// a peer whose host vanished without a word is noticed after about a minute.
void configure_connection(asio::ip::tcp::socket& socket);

}  // namespace mdl::loop
