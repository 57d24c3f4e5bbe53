#include "rendezvous/client/host_lease.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "rendezvous/client/tcp_store_client.hpp"
#include "tests/rendezvous/relay.hpp"
#include "tests/rendezvous/server/server_thread.hpp"
#include "tests/rendezvous/stderr_capture.hpp"

using namespace mdl;
using namespace mdl::rendezvous::access;
using namespace mdl::rendezvous::client;
using namespace mdl::rendezvous::server;
using namespace mdl::test;
using Catch::Contains;

namespace {

/// A store that lets in who proves `secret`, and on loopback nobody else, at `port` (0: any).
std::unique_ptr<ServerThread> store_with(const std::string& secret, std::uint16_t port = 0) {
  TcpStoreServerOptions options;
  options.guard = std::make_shared<StoreGuard>(std::make_shared<const StoreSecret>(secret), std::vector<AddressRange>{},
                                               [] { return std::vector<std::string>{}; });
  options.members_only = true;
  return std::make_unique<ServerThread>(ListenAddress::loopback(), options, port);
}

const std::string kOne = "the secret of this job";
const std::string kOther = "the secret of another job";

asio::awaitable<std::unique_ptr<HostLease>> open_lease(std::uint16_t port, const std::string& secret) {
  const StoreCredential credential(std::make_shared<const StoreSecret>(secret));
  const Endpoint endpoint("127.0.0.1", port);
  co_return co_await HostLease::open(endpoint, credential, 20s);
}

/// Until `condition` holds; ctest ends a test for which it never does.
asio::awaitable<void> until(std::function<bool()> condition) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!condition()) {
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> until_clients(ServerThread& server, std::size_t count) {
  const std::function<bool()> reached = [&server, count] {
    return server.call([](TcpStoreServer& s) { return s.client_count(); }) == count;
  };
  co_await until(reached);
}

}  // namespace

TEST_CASE("a lease stands until it is released, and its connection ends with it") {
  const auto server = store_with(kOne);
  asio::io_context io;
  const auto body = [&]() -> asio::awaitable<void> {
    std::unique_ptr<HostLease> lease = co_await open_lease(server->port(), kOne);
    co_await until_clients(*server, 1);
    lease.reset();
    co_await until_clients(*server, 0);
  };
  run(io, body());  // returns only when nothing holds the lease any more
}

TEST_CASE("a lease whose connection has been closed is opened again") {
  const auto server = store_with(kOne);
  asio::io_context io;
  Relay relay(io, server->port());
  const auto body = [&]() -> asio::awaitable<void> {
    std::unique_ptr<HostLease> lease = co_await open_lease(relay.port(), kOne);
    for (int i = 1; i <= 3; ++i) {
      co_await until_clients(*server, 1);
      relay.break_connections();
      const std::function<bool()> again = [&relay, i] { return relay.accepted() > i; };
      co_await until(again);
    }
    co_await until_clients(*server, 1);
    lease.reset();
    relay.stop();
  };
  run(io, body());
}

TEST_CASE("a lease outlives a store that is away, and one with another secret in its place") {
  const StderrCapture log;
  std::unique_ptr<ServerThread> server = store_with(kOne);
  const std::uint16_t port = server->port();
  asio::io_context io;
  const auto body = [&]() -> asio::awaitable<void> {
    const std::unique_ptr<HostLease> lease = co_await open_lease(port, kOne);
    server.reset();
    server = store_with(kOther, port);
    const std::function<bool()> refused = [&] { return log.text().find("has another secret") != std::string::npos; };
    co_await until(refused);
    server.reset();
    server = store_with(kOne, port);
    co_await until_clients(*server, 1);
  };
  run(io, body());
}

TEST_CASE("a lease that is released while its store is away is not tried again") {
  std::unique_ptr<ServerThread> server = store_with(kOne);
  asio::io_context io;
  const auto body = [&]() -> asio::awaitable<void> {
    std::unique_ptr<HostLease> lease = co_await open_lease(server->port(), kOne);
    server.reset();
    lease.reset();
  };
  run(io, body());  // returns only when nothing holds the lease any more
}

TEST_CASE("a lease is not opened with another secret than the store's") {
  const auto server = store_with(kOne);
  asio::io_context io;
  CHECK_THROWS_AS(run(io, open_lease(server->port(), kOther)), StoreAccessError);
}
