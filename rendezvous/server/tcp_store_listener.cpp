#include "rendezvous/server/tcp_store_listener.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "common/error.hpp"
#include "common/log.hpp"
#include "common/loop/tcp_socket.hpp"
#include "common/port_holder.hpp"
#include "common/str_cat.hpp"

namespace mdl::rendezvous::server {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

// The kernel lowers this to its net.core.somaxconn. Thousands of ranks connect within milliseconds of each other.
constexpr int kBacklog = 65'535;

// How often to look for a port that is free on all addresses: any port is the choice of the kernel for the first
// address, and somebody may have it on the next.
constexpr int kPortAttempts = 16;

// How often to try a port again that two programs have kept each other from, and how long to wait at most before.
constexpr int kHindrances = 10;
constexpr std::chrono::microseconds kLongestStep{5000};

// So many connections are taken before the clients have their turn: each takes several calls of the kernel.
constexpr int kAcceptsPerTurn = 8;

// How long to leave waiting connections alone when this process has no descriptor left for them.
constexpr std::chrono::milliseconds kAcceptPause{100};

/// `bound`: whether the port was free up to the last moment.
std::optional<tcp::acceptor> try_listen_once(asio::io_context& io, const tcp::endpoint& endpoint, bool& bound,
                                             error_code& error) {
  bound = false;
  tcp::acceptor acceptor(io);
  if (acceptor.open(endpoint.protocol(), error)) { return std::nullopt; }
  loop::close_on_exec(acceptor.native_handle());
  // A port whose last connections linger in TIME_WAIT is free: restarted jobs come back to theirs.
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (endpoint.address().is_v6()) {
    // [::] takes IPv4 clients too; every other address is only itself.
    acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), error);
  }
  if (acceptor.bind(endpoint, error)) { return std::nullopt; }
  bound = true;
  if (acceptor.listen(kBacklog, error)) { return std::nullopt; }
  acceptor.non_blocking(true, error);
  return acceptor;
}

/// Sockets that may have a port after each other may also be bound to it at once, as long as none listens. Where two
/// begin to listen at the same moment each finds the other, and Linux refuses both: then this one steps back for a time
/// of its own, after which the other one listens, or this one can.
std::optional<tcp::acceptor> try_listen(asio::io_context& io, const tcp::endpoint& endpoint, error_code& error) {
  for (int hindered = 0;; ++hindered) {
    bool bound = false;
    std::optional<tcp::acceptor> acceptor = try_listen_once(io, endpoint, bound, error);
    if (acceptor || !bound || error != asio::error::address_in_use || hindered == kHindrances) { return acceptor; }
    std::this_thread::sleep_for(std::chrono::microseconds(std::random_device{}() % kLongestStep.count()));
  }
}

[[noreturn]] void fail(const tcp::endpoint& endpoint, const error_code& error) {
  const std::string problem = str_cat("cannot listen on ", loop::describe(endpoint), ": ", error.message());
  if (error == asio::error::address_in_use) {
    throw Error(problem,
                str_cat("It is taken by ", name_port_holder(endpoint.port()), ". Stop it or choose another port."));
  }
  if (error == asio::error::access_denied) {
    throw Error(problem, "Ports below 1024 are for root. Choose another port.");
  }
  throw Error(problem);
}

tcp::acceptor listen_or_fail(asio::io_context& io, const tcp::endpoint& endpoint) {
  error_code error;
  std::optional<tcp::acceptor> acceptor = try_listen(io, endpoint, error);
  if (!acceptor) { fail(endpoint, error); }
  return std::move(*acceptor);
}

/// Whether the error means that the machine has no IPv6 (or no such address), rather than that the port is taken.
bool family_missing(const error_code& error) {
  return error == asio::error::address_family_not_supported || error == boost::system::errc::address_not_available ||
         error == boost::system::errc::protocol_not_supported;
}

std::vector<tcp::acceptor> listen_on_any(asio::io_context& io, std::uint16_t port) {
  std::vector<tcp::acceptor> acceptors;
  const tcp::endpoint v6(asio::ip::address_v6::any(), port);
  error_code error;
  std::optional<tcp::acceptor> acceptor = try_listen(io, v6, error);
  if (!acceptor && !family_missing(error)) { fail(v6, error); }
  acceptors.push_back(acceptor ? std::move(*acceptor) : listen_or_fail(io, {asio::ip::address_v4::any(), port}));
  return acceptors;
}

/// On the addresses as far as the machine has them, all on one port. Fails where it lacks the first `needed` ones, or
/// has none at all.
std::vector<tcp::acceptor> listen_on_each(asio::io_context& io, const std::vector<asio::ip::address>& addresses,
                                          std::uint16_t port, std::size_t needed) {
  for (int attempt = 1;; ++attempt) {
    std::vector<tcp::acceptor> acceptors;
    bool taken = false;
    for (std::size_t i = 0; i < addresses.size() && !taken; ++i) {
      const tcp::endpoint next(addresses[i], acceptors.empty() ? port : acceptors.front().local_endpoint().port());
      error_code error;
      std::optional<tcp::acceptor> acceptor = try_listen(io, next, error);
      const bool may_lack = i >= needed && (i + 1 < addresses.size() || !acceptors.empty());
      if (acceptor) {
        acceptors.push_back(std::move(*acceptor));
      } else if (!family_missing(error) || !may_lack) {
        if (!may_lack || acceptors.empty() || port != 0 || attempt == kPortAttempts) { fail(next, error); }
        taken = true;
      }
    }
    if (!taken) { return acceptors; }
  }
}

/// Takes a few of the connections that wait. Nothing when no more wait, success when more may, else the error: the
/// process or the system is short of something for another one.
std::optional<error_code> accept_some(tcp::acceptor& acceptor, ConnectionTaker& taker) {
  if (!acceptor.is_open()) { return std::nullopt; }
  const auto protocol = acceptor.local_endpoint().protocol();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      const bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      return short_of ? std::optional(error_code(errno, boost::system::system_category())) : std::nullopt;
    }
    tcp::socket socket(acceptor.get_executor(), protocol, fd);
    loop::configure_connection(socket);
    taker.take(std::move(socket));
  }
  return error_code();
}

}  // namespace

std::vector<tcp::acceptor> listen_at(asio::io_context& io, const ListenAddress& address, std::uint16_t port) {
  switch (address.kind()) {
    case ListenAddress::Kind::loopback:
      return listen_on_each(io, {asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()}, port, 0);
    case ListenAddress::Kind::any:
      return listen_on_any(io, port);
    case ListenAddress::Kind::some:
      break;
  }
  return listen_on_each(io, address.addresses(), port, 1);
}

asio::awaitable<void> accept_connections(tcp::acceptor& acceptor, std::shared_ptr<ConnectionTaker> taker) {
  asio::steady_timer pause(acceptor.get_executor());
  error_code error;
  bool complained = false;
  while (acceptor.is_open()) {
    co_await acceptor.async_wait(tcp::acceptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (error) { continue; }
    std::optional<error_code> outcome = accept_some(acceptor, *taker);
    while (outcome && (!*outcome || taker->make_room())) {
      co_await asio::post(asio::use_awaitable);
      outcome = accept_some(acceptor, *taker);
    }
    if (!outcome) { continue; }
    if (!std::exchange(complained, true)) {
      log::warning("store: cannot accept more clients: ", outcome->message(), "; they wait until others leave");
    }
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

}  // namespace mdl::rendezvous::server
