#pragma once

#include <memory>
#include <string>

#include "common/expected.hpp"
#include "worker/http/authorities.hpp"
#include "worker/http/exchange.hpp"
#include "worker/http/retry.hpp"

namespace mdl::worker::http {

/// Asks for things by http and https, and keeps its connections for the next request. The one user of libcurl. TLS is
/// verified; proxies are libcurl's (http_proxy, HTTPS_PROXY, ALL_PROXY, NO_PROXY and their other spellings). Used by
/// one thread at a time; several threads have a client each.
class Client {
 public:
  explicit Client(Authorities authorities = read_authorities());
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// One attempt. The head of the answer, or why there is none. What the receiver throws passes through.
  Expected<Response, Failure> get(const Request& request, const Receiver& receiver);

  /// A text of at most `max_bytes`, tried again as `limits` say (this thread sleeps in between). Throws nothing of its
  /// own: a text that is too large is a Failure too.
  Expected<std::pair<Response, std::string>, Failure> text(const Request& request, std::size_t max_bytes,
                                                           RetryLimits limits = {});

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace mdl::worker::http
