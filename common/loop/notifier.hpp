#pragma once

#include <chrono>

#include "common/loop/asio.hpp"

namespace mdl::loop {

/// Lets coroutines of one io_context wait until something has changed. As with a condition variable, the waiter checks
/// its condition before each wait; nothing can be lost in between, because all run on one thread.
class Notifier {
 public:
  explicit Notifier(asio::io_context& io) : io_(io), waiters_(io, Clock::time_point::max()) {}

  using Clock = std::chrono::steady_clock;

  /// Wakes everyone who waits now.
  void notify() { waiters_.cancel(); }

  asio::awaitable<void> wait() {
    boost::system::error_code ignored;
    co_await waiters_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  /// Waits for a change, at the longest until `deadline`.
  asio::awaitable<void> wait_until(Clock::time_point deadline) {
    asio::steady_timer alarm(io_, deadline);
    alarm.async_wait([this](boost::system::error_code error) {
      if (!error) { notify(); }
    });
    co_await wait();
  }

 private:
  asio::io_context& io_;
  asio::steady_timer waiters_;
};

}  // namespace mdl::loop
