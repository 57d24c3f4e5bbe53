#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/loop/asio.hpp"

namespace mdl::launcher::http {

/// What a client asks for.
struct Request {
  std::string method;      ///< as it was sent
  std::string path;        ///< begins with '/', without the query; nothing in it is decoded
  std::string query;       ///< behind the '?', without it
  std::string host;        ///< of the header Host, with its port if it has one
  bool keep_alive = true;  ///< the client wants the connection to stay
};

/// A body that comes part by part, for as long as it takes.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  /// The next part, once there is one; null at the end. Does not throw. A client that has gone is only noticed when a
  /// part is sent to him, so that there has to be one now and then.
  virtual asio::awaitable<std::shared_ptr<const std::string>> next() = 0;
};

/// What it gets.
struct Response {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";              ///< Content-Type
  std::vector<std::pair<std::string, std::string>> headers{};  ///< further ones, of this program's own making
  std::shared_ptr<BodyStream> stream{};                        ///< in place of a body; the connection ends with it
  std::shared_ptr<const std::string> body{};  ///< null: empty. Shared, so that many may get what was made once
};

/// A short sentence for people, and a line end.
Response plain_response(unsigned status, const std::string& sentence);

/// As HTTP writes a time: "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale. Empty where it is none.
std::string http_time(std::time_t now);

/// The bytes before the body, for HTTP/1.1, with the time of now. Nothing may keep the answer, and no browser take it
/// for another type than it says.
std::string head_of(const Response& response, bool keep_alive);

}  // namespace mdl::launcher::http
