#include <catch2/catch.hpp>
#include <functional>
#include <optional>
#include <string>

#include "rendezvous/c10d/c10d_rendezvous.hpp"
#include "rendezvous/c10d/join_queue.hpp"
#include "rendezvous/c10d/rendezvous_service.hpp"
#include "rendezvous/server/tcp_store_server.hpp"
#include "tests/rendezvous/relay.hpp"
#include "tests/rendezvous/server/server_thread.hpp"

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using Catch::Contains;

namespace {

/// A host of ours that can be ended and started again, at the same port, while an agent is in a round.
struct MortalHost {
  asio::io_context io;
  std::optional<TcpStoreServer> server;
  std::optional<RendezvousService> host;
  std::uint16_t port = 0;

  MortalHost() { start(); }
  void start() {
    server.emplace(io, ListenAddress::loopback(), port);
    host.emplace(io, *server, "job");
    server->start();
    port = server->port();
  }
  void end() {
    host.reset();
    server.reset();
  }
  /// Runs `body` as the one agent of a job, in a round of one node, that reaches the host at port `through`.
  void with_agent(std::uint16_t through, const std::function<asio::awaitable<void>(C10dRendezvous&)>& body) {
    const auto agent = [&]() -> asio::awaitable<void> {
      C10dJob job;
      job.run_id = "job";
      job.endpoint = Endpoint("127.0.0.1", through);
      job.is_host = false;
      job.settings.keep_alive_interval = 100ms;
      const auto rendezvous = co_await C10dRendezvous::open(job);
      co_await rendezvous->next_round();
      co_await body(*rendezvous);
    };
    std::exception_ptr failure;
    asio::co_spawn(io, agent(), [&](std::exception_ptr error) {
      failure = std::move(error);
      io.stop();
    });
    io.run();
    if (failure) { std::rethrow_exception(failure); }
  }
};

}  // namespace

TEST_CASE("a node whose host has ended is told at once, and a node whose host has begun anew is not in the round") {
  MortalHost mortal;
  RoundEvent event{};
  mortal.with_agent(mortal.port, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    asio::post(mortal.io, [&] {
      mortal.end();
      mortal.start();
    });
    event = co_await rendezvous.watch();
  });
  CHECK(event == RoundEvent::dropped);

  MortalHost gone;
  std::string message;
  const auto began = std::chrono::steady_clock::now();
  gone.with_agent(gone.port, [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    asio::post(gone.io, [&] { gone.end(); });
    try {
      co_await rendezvous.watch();
    } catch (const StoreConnectionError& error) { message = error.what(); }
  });
  CHECK_THAT(message, Contains("lost the host") && Contains("127.0.0.1:" + std::to_string(gone.port)) &&
                          Contains("connection refused"));
  CHECK(std::chrono::steady_clock::now() - began < 20s);
}

TEST_CASE("a connection that somebody breaks is remade, and the round goes on") {
  MortalHost mortal;
  Relay relay(mortal.io, mortal.port);
  RoundEvent event{};
  int before = 0;
  mortal.with_agent(relay.port(), [&](C10dRendezvous& rendezvous) -> asio::awaitable<void> {
    asio::steady_timer later(mortal.io);
    before = relay.accepted();
    asio::post(mortal.io, [&] {
      relay.break_connections();
      later.expires_after(JoinQueue::kGrace + 200ms);
      later.async_wait([&](const boost::system::error_code&) { rendezvous.stop_watching(); });
    });
    event = co_await rendezvous.watch();
  });
  CHECK(event == RoundEvent::stopped);
  CHECK(relay.accepted() > before);
}
