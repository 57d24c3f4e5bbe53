#include "launcher/http/http_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "common/exception_text.hpp"
#include "common/log.hpp"
#include "common/loop/tcp_socket.hpp"
#include "common/str_cat.hpp"
#include "launcher/http/http_connection.hpp"
#include "launcher/http/request_pace.hpp"
#include "rendezvous/server/tcp_store_listener.hpp"

namespace mdl::launcher::http {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using Clock = HttpConnection::Clock;

// After which a process that is short of descriptors or memory looks again.
constexpr std::chrono::milliseconds kShortRest{100};

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, HttpPlace place, Routes routes, HttpLimits limits)
      : io_(io),
        names_(std::move(place.names)),
        shown_host_(std::move(place.shown_host)),
        routes_(std::move(routes)),
        limits_(limits),
        acceptors_(rendezvous::server::listen_at(io, place.address, place.port)) {}

  void start() {
    for (tcp::acceptor& acceptor : acceptors_) {
      asio::co_spawn(io_, accept_clients(shared_from_this(), acceptor), asio::detached);
    }
  }

  void stop() {
    error_code ignored;
    for (tcp::acceptor& acceptor : acceptors_) { acceptor.close(ignored); }
    for (const auto& connection : connections_) { connection->close(); }
  }

  std::uint16_t port() const { return acceptors_.front().local_endpoint().port(); }
  const std::string& shown_host() const { return shown_host_; }

 private:
  using Connection = std::shared_ptr<HttpConnection>;

  static asio::awaitable<void> accept_clients(std::shared_ptr<Impl> self, tcp::acceptor& acceptor) {
    error_code error;
    asio::steady_timer rest(self->io_);
    while (acceptor.is_open()) {
      co_await acceptor.async_wait(tcp::acceptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error || !acceptor.is_open()) { continue; }
      rest.expires_after(self->accept_one(acceptor));
      if (rest.expiry() > Clock::now()) { co_await rest.async_wait(asio::redirect_error(asio::use_awaitable, error)); }
    }
  }

  /// How long to rest before the next one.
  Clock::duration accept_one(tcp::acceptor& acceptor) {
    const auto protocol = acceptor.local_endpoint().protocol();
    const int fd = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      const bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      return short_of ? kShortRest : std::chrono::milliseconds(0);
    }
    tcp::socket socket(io_, protocol, fd);
    loop::configure_connection(socket);
    if (make_room()) { begin(std::move(socket)); }
    return pace_.take(Clock::now());
  }

  /// For one more connection; false where there is none.
  bool make_room() {
    if (connections_.size() < limits_.connections) { return true; }
    const auto idle =
        std::min_element(connections_.begin(), connections_.end(),
                         [](const Connection& a, const Connection& b) { return a->idle_since() < b->idle_since(); });
    if (idle == connections_.end() || (*idle)->idle_since() == Clock::time_point::max()) { return false; }
    (*idle)->close();
    connections_.erase(idle);
    return true;
  }

  void begin(tcp::socket socket) {
    const auto connection = std::make_shared<HttpConnection>(std::move(socket), limits_.patience);
    connections_.push_back(connection);
    asio::co_spawn(io_,
                   HttpConnection::serve(connection, [this](Request request) { return answer(std::move(request)); }),
                   [self = shared_from_this(), connection](const std::exception_ptr&) {
                     std::erase(self->connections_, connection);
                   });
  }

  asio::awaitable<Response> answer(Request request) {
    const Clock::duration wait = pace_.take(Clock::now());
    if (wait > Clock::duration::zero()) {
      error_code ignored;
      asio::steady_timer rest(io_, wait);
      co_await rest.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (!names_.allow(request.host)) {
      co_return plain_response(403, "This name is none by which this machine is known here.");
    }
    if (request.method != "GET" && request.method != "HEAD") {
      co_return plain_response(405, "There is nothing here but for GET and HEAD.");
    }
    Response response = plain_response(404, "There is no such page.");
    if (const auto route = routes_.find(request.path); route != routes_.end()) {
      try {
        asio::awaitable<Response> making = route->second(std::move(request));
        response = co_await std::move(making);
      } catch (const std::exception& error) {
        log::info("answering ", route->first, ": ", describe_exception(error));
        response = plain_response(500, "This could not be answered; the launcher's log says why (LOGLEVEL=INFO).");
      }
    }
    co_return response;
  }

  asio::io_context& io_;
  const HostNames names_;
  const std::string shown_host_;
  const Routes routes_;
  const HttpLimits limits_;
  std::vector<tcp::acceptor> acceptors_;
  std::vector<Connection> connections_{};
  RequestPace pace_{};
};

HttpServer::HttpServer(asio::io_context& io, HttpPlace place, Routes routes, HttpLimits limits)
    : impl_(std::make_shared<Impl>(io, std::move(place), std::move(routes), limits)) {
  impl_->start();
}

HttpServer::~HttpServer() {
  impl_->stop();
}

std::uint16_t HttpServer::port() const {
  return impl_->port();
}

std::string HttpServer::url(const std::string& path) const {
  std::string host = impl_->shown_host();
  // Of a link-local address the zone: in an address of a page its sign is written so.
  if (const std::size_t zone = host.find('%'); zone != std::string::npos) { host.insert(zone + 1, "25"); }
  return str_cat("http://", to_string(Endpoint(host, port())), path);
}

}  // namespace mdl::launcher::http
