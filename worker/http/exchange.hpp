#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/http/pace.hpp"

namespace mdl::worker::http {

/// Bytes `begin` to `end` of a file, `end` not among them.
struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

/// What is asked for. Redirects are followed by this room, at most ten, to http and https only.
struct Request {
  std::string url;
  std::vector<std::string> headers;  ///< "Accept: application/json"; sent to every host on the way
  /// "Bearer …", the value of an Authorization header. Sent to the origin (scheme, host and port) of `url` and no
  /// other, and over plain http to loopback only.
  std::string authorization;
  std::string cookie;  ///< the value of a Cookie header, sent where `authorization` is
  std::optional<ByteRange> range;
  bool may_leave_https = true;  ///< whether a redirect may lead from https to http
  std::chrono::seconds connect_timeout{10};
  std::chrono::seconds stall_timeout{30};  ///< without a byte
  LowestSpeed lowest_speed{};              ///< with too few of them
};

/// The head of an answer; of the last one where there were redirects.
struct Response {
  long status = 0;
  std::string url;                             ///< that gave it, as it may be shown
  std::map<std::string, std::string> headers;  ///< names in lower case; of several the last

  const std::string* header(const std::string& lower_case_name) const;
  /// Content-Length, or nothing.
  std::optional<std::int64_t> content_length() const;
  /// Of a 206: which bytes of how many ("bytes 0-9/100"). Nothing where the header is missing or makes no sense.
  struct Content {
    ByteRange range;
    std::optional<std::int64_t> total;
  };
  std::optional<Content> content_range() const;
};

/// Why a request came to nothing. Texts hold no password, token or query.
struct Failure {
  enum class Kind {
    resolve,      ///< the name of the host (or proxy) is unknown
    connect,      ///< nobody listens, or nobody answers in time
    certificate,  ///< TLS: who answers is not who he should be, or the authorities cannot be read
    cut,          ///< the connection broke, stalled, or was slower than the lowest speed
    status,       ///< the server answered with a status other than 200 and 206
    redirect,     ///< to where we do not go, or too often
    refused,      ///< the receiver did not want the answer (Receiver returned false)
    other
  };
  Kind kind = Kind::other;
  std::string reason;        ///< "Couldn't connect to server", "the server answered 503"
  std::string url;           ///< that failed, as it may be shown
  bool may_pass = false;     ///< worth another attempt
  std::string advice{};      ///< of Kind::certificate: what to do
  Response response{};       ///< of Kind::status: status and headers
  std::string body_start{};  ///< of Kind::status: the first 4096 bytes of its text
  /// What the server asks to wait before the next attempt (Retry-After, or Hugging Face's ratelimit header).
  std::optional<std::chrono::seconds> retry_after{};
};

/// Takes an answer in. All are called on the thread of the request; `begin` once, with the head of a 200 or 206, then
/// `bytes` for every piece of the body, and `goes_on` about once a second, also while nothing comes. False ends the
/// request with Kind::refused.
struct Receiver {
  std::function<bool(const Response&)> begin = [](const Response&) { return true; };
  std::function<bool(std::string_view)> bytes;
  std::function<bool()> goes_on = [] { return true; };
};

/// Seconds of a Retry-After header ("120", or a date after `now`), else those of Hugging Face's `ratelimit` header
/// ("\"api\";r=0;t=55"). Nothing where there is neither.
std::optional<std::chrono::seconds> asked_delay(const Response& response, std::chrono::system_clock::time_point now);

}  // namespace mdl::worker::http
