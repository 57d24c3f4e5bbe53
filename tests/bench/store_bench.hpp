#pragma once

#include <cstddef>

#include "common/loop/asio.hpp"

namespace mdl::bench {

/// Each prints what it measured as a line of JSON, {"case", "value", "unit"}, on stdout. They run `clients` connections
/// at once from one thread, against whatever server listens at `server`, and throw when it goes away.

/// Seconds from nothing until every client has been answered.
void bench_connecting(const asio::ip::tcp::endpoint& server, std::size_t clients);
/// Operations a second and their times in microseconds, p50 and p99: each client in turn sets 64 bytes, reads them and
/// adds to a counter, for a second.
void bench_operations(const asio::ip::tcp::endpoint& server, std::size_t clients);
/// Milliseconds of a barrier of all clients (median of 9), and from a SET until every client that waits for it is
/// awake.
void bench_waiting(const asio::ip::tcp::endpoint& server, std::size_t clients);
/// Connects and keeps the connections until stdin ends, so that somebody can look at the server's memory; prints
/// "held".
void hold_connections(const asio::ip::tcp::endpoint& server, std::size_t clients);
/// Runs our own server on a port of its choice, which it prints, until stdin ends.
void serve_store();

}  // namespace mdl::bench
