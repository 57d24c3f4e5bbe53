#include "common/port_holder.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "common/str_cat.hpp"
#include "common/unique_fd.hpp"

namespace {

/// A socket on a free port of loopback, and that port.
std::pair<mdl::UniqueFd, std::uint16_t> bound_socket(int family) {
  mdl::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  storage.ss_family = static_cast<sa_family_t>(family);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (family == AF_INET) { v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK); }
  if (family == AF_INET6) { v6->sin6_addr = in6addr_loopback; }
  socklen_t size = family == AF_INET ? sizeof(*v4) : sizeof(*v6);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
  REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
  return {std::move(socket), ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port)};
}

std::string this_process() {
  std::ifstream file("/proc/self/comm");
  std::string name;
  std::getline(file, name);
  return mdl::str_cat(name, " (process ", ::getpid(), ")");
}

}  // namespace

TEST_CASE("the process that listens on a port is named, and nobody once it has closed the port") {
  const int family = GENERATE(AF_INET, AF_INET6);
  auto [socket, port] = bound_socket(family);
  CHECK(mdl::port_holders(port).empty());  // bound, but it does not listen
  REQUIRE(::listen(socket.get(), 1) == 0);
  CHECK(mdl::port_holders(port) == std::vector<std::string>{this_process()});
  CHECK(mdl::name_port_holder(port) == this_process());
  socket.reset();
  CHECK(mdl::port_holders(port).empty());
  CHECK(mdl::name_port_holder(port) == "another program");
}
