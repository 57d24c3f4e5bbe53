#include "tests/bench/store_bench.hpp"

#include <unistd.h>

#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/bench/latencies.hpp"
#include "tests/bench/stdin_end.hpp"
#include "tests/bench/store_connection.hpp"

namespace mdl::bench {
namespace {

using asio::ip::tcp;
// Not a vector: coroutines keep references.
using Connections = std::deque<StoreConnection>;

void print(const std::string& name, double value, const char* unit) {
  std::printf("{\"case\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n", name.c_str(), value, unit);
  std::fflush(stdout);
}

/// Runs one coroutine a client at the same time, until all are done; rethrows the first failure.
void run_all(asio::io_context& io, Connections& connections,
             const std::function<asio::awaitable<void>(StoreConnection&, std::size_t)>& body) {
  std::exception_ptr failure;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    asio::co_spawn(io, body(connections[i], i), [&](std::exception_ptr error) {
      if (error && !failure) {
        failure = std::move(error);
        io.stop();
      }
    });
  }
  io.restart();
  io.run();
  if (failure) { std::rethrow_exception(failure); }
}

void connect_all(asio::io_context& io, Connections& connections, const tcp::endpoint& server, std::size_t clients) {
  for (std::size_t i = 0; i < clients; ++i) { connections.emplace_back(io); }
  run_all(io, connections, [server](StoreConnection& connection, std::size_t) { return connection.connect(server); });
}

asio::awaitable<void> operate(StoreConnection& connection, std::size_t index, Clock::time_point end,
                              std::vector<double>& times) {
  const std::string key = "/bench/" + std::to_string(index);
  const std::string value(64, 'v');
  for (auto start = Clock::now(); start < end;) {
    co_await connection.set(key, value);
    co_await connection.get(key);  // also the set's answer: it has none of its own
    const auto between = Clock::now();
    times.push_back(std::chrono::duration<double, std::micro>(between - start).count());
    co_await connection.add("/bench/sum", 1);
    start = Clock::now();
    times.push_back(std::chrono::duration<double, std::micro>(start - between).count());
  }
}

}  // namespace

void bench_connecting(const tcp::endpoint& server, std::size_t clients) {
  asio::io_context io;
  Connections connections;
  const auto start = Clock::now();
  connect_all(io, connections, server, clients);
  print("connect " + std::to_string(clients), seconds_since(start), "s");
}

void bench_operations(const tcp::endpoint& server, std::size_t clients) {
  asio::io_context io;
  Connections connections;
  connect_all(io, connections, server, clients);
  std::vector<double> times;
  const auto start = Clock::now();
  const auto end = start + std::chrono::seconds(1);
  run_all(io, connections,
          [&](StoreConnection& connection, std::size_t index) { return operate(connection, index, end, times); });
  const double elapsed = seconds_since(start);
  const std::string of = " of " + std::to_string(clients);
  // Each pair of times is three operations: set with get, and add.
  print("operations" + of, static_cast<double>(times.size()) * 1.5 / elapsed, "1/s");
  print("p50" + of, percentile(times, 0.5), "us");
  print("p99" + of, percentile(times, 0.99), "us");
}

void bench_waiting(const tcp::endpoint& server, std::size_t clients) {
  asio::io_context io;
  Connections connections;
  connect_all(io, connections, server, clients);
  const std::string run = std::to_string(::getpid()) + "/" + std::to_string(clients) + "/";
  std::vector<double> barriers;
  std::vector<double> wakes;
  for (int round = 0; round < 9; ++round) {
    const std::string key = "/bench/barrier/" + run + std::to_string(round);
    auto start = Clock::now();
    run_all(io, connections, [&](StoreConnection& connection, std::size_t) {
      return connection.barrier(key, static_cast<std::int64_t>(clients));
    });
    barriers.push_back(seconds_since(start) * 1e3);

    const std::string flag = "/bench/flag/" + run + std::to_string(round);
    const std::string arrived = "/bench/arrived/" + run + std::to_string(round);
    run_all(io, connections, [&](StoreConnection& connection, std::size_t index) -> asio::awaitable<void> {
      // The flag goes up when every client is about to wait; one that comes too late only finds it up.
      if (index != 0) {
        co_await connection.add(arrived, 1);
        co_await connection.wait(flag);
        co_return;
      }
      while (co_await connection.add(arrived, 0) + 1 < static_cast<std::int64_t>(clients)) {}
      start = Clock::now();
      co_await connection.set(flag, "up");
    });
    wakes.push_back(seconds_since(start) * 1e3);
  }
  print("barrier of " + std::to_string(clients), percentile(barriers, 0.5), "ms");
  print("waking " + std::to_string(clients), percentile(wakes, 0.5), "ms");
}

void hold_connections(const tcp::endpoint& server, std::size_t clients) {
  asio::io_context io;
  Connections connections;
  connect_all(io, connections, server, clients);
  std::puts("held");
  std::fflush(stdout);
  asio::co_spawn(io, wait_for_stdin_to_end(io), asio::detached);
  io.restart();
  io.run();
}

void serve_store() {
  asio::io_context io;
  rendezvous::server::TcpStoreServer server(io, rendezvous::server::ListenAddress::loopback(), 0);
  server.start();
  std::printf("%u\n", server.port());
  std::fflush(stdout);
  asio::co_spawn(io, wait_for_stdin_to_end(io), [&](const std::exception_ptr&) { io.stop(); });
  io.run();
}

}  // namespace mdl::bench
