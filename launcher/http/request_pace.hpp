#pragma once

#include <chrono>

namespace mdl::launcher::http {

/// How much a server does for its clients, so that it never takes long from what else its process does: kMostASecond
/// connections and requests, and who comes after them waits for the next second. Pure.
class RequestPace {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kMostASecond = 200;

  /// One more, now; how long it has to wait first.
  Clock::duration take(Clock::time_point now) {
    if (now >= second_ + std::chrono::seconds(1)) {
      second_ = now;
      taken_ = 0;
    }
    if (taken_ >= kMostASecond) { return second_ + std::chrono::seconds(1) - now; }
    ++taken_;
    return {};
  }

 private:
  Clock::time_point second_{};  ///< when this one has begun
  int taken_ = 0;               ///< in it
};

}  // namespace mdl::launcher::http
