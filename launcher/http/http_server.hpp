#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/loop/asio.hpp"
#include "launcher/http/http_message.hpp"
#include "launcher/http/http_place.hpp"

namespace mdl::launcher::http {

/// What a server takes from its clients.
struct HttpLimits {
  /// At once. For one more, the one goes that has waited for its next request for longest; where none waits, the new
  /// one is closed.
  std::size_t connections = 64;
  /// For a whole request since the connection was made, or the last answer taken; and for an answer to be made and
  /// taken, or a part of a stream to be taken. Then the connection is closed.
  std::chrono::milliseconds patience{10'000};
};

/// A small HTTP/1.1 server for what a launcher shows of itself, in the launcher's own loop: GET and HEAD only (else
/// 405), paths that are listed (else 404), names that mean this machine (else 403, see HostNames), no request bodies,
/// nothing for other origins. Who asks too much waits (RequestPace). Not for the open internet: there is no TLS.
class HttpServer {
 public:
  /// Makes the answer to a request for one path. What it throws becomes 500, and a line of the log. (By value: a
  /// coroutine begins after the call.)
  using Handler = std::function<asio::awaitable<Response>(Request)>;
  using Routes = std::map<std::string, Handler>;  ///< by path

  /// Listens at once. Throws Error that names address and port, and who has them, when they cannot be had. The
  /// coroutines of `io` must end before what `routes` refer to.
  HttpServer(asio::io_context& io, HttpPlace place, Routes routes, HttpLimits limits = HttpLimits());
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  /// "http://127.0.0.1:9400" and `path`.
  std::string url(const std::string& path) const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mdl::launcher::http
