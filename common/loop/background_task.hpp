#pragma once

#include <exception>
#include <memory>
#include <utility>

#include "common/loop/asio.hpp"
#include "common/loop/notifier.hpp"

namespace mdl::loop {

/// A coroutine that goes on beside the one that started it, which may wait for its end, or stop waiting: then the rest
/// of it ends with the io_context at the latest. What it refers to must live as long.
class BackgroundTask {
 public:
  /// `start` is called without arguments and returns an awaitable<void>; `changed` is notified at the task's end.
  template <typename Start>
  BackgroundTask(asio::io_context& io, Start start, Notifier& changed) : end_(std::make_shared<End>()) {
    asio::co_spawn(io, std::move(start), [end = end_, &changed](const std::exception_ptr& failure) {
      end->done = true;
      end->failure = failure;
      changed.notify();
    });
  }

  bool done() const { return end_->done; }
  bool failed() const { return end_->failure != nullptr; }
  /// Throws what the task has thrown, if it has ended so.
  void rethrow() const {
    if (end_->failure) { std::rethrow_exception(end_->failure); }
  }

 private:
  struct End {
    bool done = false;
    std::exception_ptr failure;
  };
  std::shared_ptr<End> end_;
};

}  // namespace mdl::loop
