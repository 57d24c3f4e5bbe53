#pragma once

#include <functional>
#include <future>
#include <optional>
#include <utility>

namespace mdl::worker::training::data {

/// Calls `produce(0)`, `produce(1)`, … `produce(count - 1)` on a background thread, one call ahead of the consumer, so
/// that the next batch is ready when the device has finished with this one. An exception of `produce` comes out of
/// next(). Used by one thread. The destructor waits for a call in progress.
template <typename Item>
class Prefetcher {
 public:
  Prefetcher(int64_t count, std::function<Item(int64_t)> produce, int64_t first = 0)
      : produce_(std::move(produce)), next_(first), count_(count) {
    start();
  }

  /// The next item in order, or nothing after the last one.
  std::optional<Item> next() {
    if (!pending_.valid()) { return std::nullopt; }
    Item item = pending_.get();
    start();
    return item;
  }

 private:
  void start() {
    if (next_ < count_) { pending_ = std::async(std::launch::async, produce_, next_++); }
  }

  std::function<Item(int64_t)> produce_;
  int64_t next_;
  int64_t count_;
  std::future<Item> pending_;  // last: its destructor waits, and produce_ must outlive that
};

}  // namespace mdl::worker::training::data
