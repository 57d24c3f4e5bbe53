#include "common/loop/tcp_socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/str_cat.hpp"

namespace mdl::loop {
namespace {

// 30 s without traffic, then a probe each 10 s, three of them.
constexpr int kKeepAliveIdleSeconds = 30;
constexpr int kKeepAliveIntervalSeconds = 10;
constexpr int kKeepAliveProbes = 3;

void set_option(int fd, int level, int name, int value) {
  // Without any of these options the connection still works.
  (void)::setsockopt(fd, level, name, &value, sizeof(value));
}

}  // namespace

std::string describe(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

std::string describe(const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = describe(endpoint.address());
  const bool brackets = address.find(':') != std::string::npos;
  return str_cat(brackets ? "[" : "", address, brackets ? "]:" : ":", endpoint.port());
}

std::string describe_peer(const asio::ip::tcp::socket& socket) {
  boost::system::error_code error;
  const asio::ip::tcp::endpoint endpoint = socket.remote_endpoint(error);
  return error ? std::string("a client that is gone") : describe(endpoint);
}

void close_on_exec(int fd) {
  (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void configure_connection(asio::ip::tcp::socket& socket) {
  boost::system::error_code ignored;  // a connection that is already broken shows it at the next read
  socket.non_blocking(true, ignored);
  const int fd = socket.native_handle();
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

}  // namespace mdl::loop
