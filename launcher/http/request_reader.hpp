#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "common/expected.hpp"
#include "launcher/http/http_message.hpp"

namespace mdl::launcher::http {

/// The requests of one connection, out of bytes as they come. Pure. Of what strangers send it keeps at most
/// kLargestHead bytes and what came with them.
class RequestReader {
 public:
  /// The request line and the headers of a request. A body is none that anything here asks for.
  static constexpr std::size_t kLargestHead = 8192;

  /// Further bytes.
  void take(std::string_view bytes) { pending_ += bytes; }
  /// The next request once it is there whole; or an answer with which the connection is to end, as what has come is no
  /// request, or one that is not read here (a body, a head that is too large, HTTP/1.1 without Host, or twice).
  std::optional<Expected<Request, Response>> next();
  /// Whether the beginning of a request is there.
  bool in_request() const { return !pending_.empty(); }

 private:
  std::string pending_{};
  std::size_t looked_at_ = 0;  ///< so far there is no end of a head in pending_
};

}  // namespace mdl::launcher::http
