#include "worker/distributed/peer_sockets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "common/unique_fd.hpp"

using namespace mdl::worker::distributed;

namespace {

/// Both ends of a TCP connection within this process.
struct Connected {
  mdl::UniqueFd listener{::socket(AF_INET, SOCK_STREAM, 0)}, here{::socket(AF_INET, SOCK_STREAM, 0)}, there;

  Connected() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener.get(), any, length) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), any, &length) == 0);
    REQUIRE(::connect(here.get(), any, length) == 0);
    there = mdl::UniqueFd(::accept(listener.get(), nullptr, nullptr));
  }
};

}  // namespace

TEST_CASE("connections that were made in between are found, and end as if the other side had ended them") {
  const Connected older;
  const auto before = open_peer_sockets();
  const Connected newer;
  const auto made = new_peer_sockets(before, open_peer_sockets());
  CHECK(made.size() == 2);  // both ends, and not what listens
  end_connections(made);
  char byte = 0;
  CHECK(::recv(newer.here.get(), &byte, 1, 0) == 0);
  CHECK(::send(older.here.get(), "x", 1, 0) == 1);
  CHECK(::recv(older.there.get(), &byte, 1, 0) == 1);
}

TEST_CASE("a connection that was closed meanwhile, so that its number may be another's, is left alone") {
  const auto before = open_peer_sockets();
  std::vector<PeerSocket> closed;
  {
    const Connected gone;
    closed = new_peer_sockets(before, open_peer_sockets());
  }
  const Connected next;  // gets the same numbers
  end_connections(closed);
  char byte = 0;
  CHECK(::send(next.here.get(), "x", 1, 0) == 1);
  CHECK(::recv(next.there.get(), &byte, 1, 0) == 1);
}
