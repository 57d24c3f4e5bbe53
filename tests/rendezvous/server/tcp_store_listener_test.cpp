#include "rendezvous/server/tcp_store_listener.hpp"

#include <unistd.h>

#include <array>
#include <barrier>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "common/error.hpp"

using namespace mdl::rendezvous::server;

namespace {

/// A free port below those that the kernel gives to the connections of other tests.
std::uint16_t quiet_port() {
  asio::io_context io;
  for (int port = 20'000 + ::getpid() % 8'000; port < 32'000; ++port) {
    const auto candidate = static_cast<std::uint16_t>(port);
    try {
      listen_at(io, ListenAddress::any(), candidate);
      return candidate;
    } catch (const mdl::Error&) {}
  }
  FAIL("there is no free port");
  return 0;
}

}  // namespace

TEST_CASE("of two that begin to listen on a port at the same moment one has it") {
  constexpr int kTries = 100;
  const std::uint16_t port = quiet_port();
  std::array<bool, 2> has{};
  int one = 0;
  std::barrier together(2);
  const auto listen = [&](std::size_t side) {
    asio::io_context io;
    for (int i = 0; i < kTries; ++i) {
      together.arrive_and_wait();
      std::vector<asio::ip::tcp::acceptor> acceptors;
      try {
        acceptors = listen_at(io, ListenAddress::any(), port);
      } catch (const mdl::Error&) {}
      has[side] = !acceptors.empty();
      together.arrive_and_wait();
      if (side == 0) { one += has[0] != has[1] ? 1 : 0; }
    }
  };
  std::thread other(listen, 1);
  listen(0);
  other.join();
  CHECK(one == kTries);
}
