#pragma once

#include <chrono>
#include <optional>

#include "worker/http/exchange.hpp"

namespace mdl::worker::http {

struct RetryLimits {
  int attempts = 5;                             ///< in a row without progress
  std::chrono::milliseconds first_pause{1000};  ///< before the second attempt; doubles each time
  std::chrono::milliseconds longest_pause{30'000};
  std::chrono::seconds longest_asked{600};  ///< a server that asks for more is not waited for
  std::chrono::seconds longest_text{300};   ///< of Client::text(): a text that drips in is not waited for any longer
  std::chrono::seconds long_pause{5};       ///< one of so long is told on stderr
};

/// Decides whether a request is tried again, and when. An attempt that brought bytes does not count against the limit,
/// and the count begins anew. No clock and no sleep in here.
class Retry {
 public:
  explicit Retry(RetryLimits limits = {}) : limits_(limits) {}

  /// After a failed attempt: how long to wait before the next one; nothing to give up.
  std::optional<std::chrono::milliseconds> next(const Failure& failure, bool progress);

  /// Failed attempts since the last progress.
  int failures() const { return failures_; }

 private:
  RetryLimits limits_;
  int failures_ = 0;
};

}  // namespace mdl::worker::http
