#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace mdl::worker::dataset {

/// Runs `work(i)` for every i below `count` on `threads` threads, and waits. The first exception is thrown again.
inline void parallel_for(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto run = [&] {
    try {
      for (std::size_t i; (i = next.fetch_add(1)) < count;) { work(i); }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) { failure = std::current_exception(); }
      next = count;
    }
  };
  {
    std::vector<std::jthread> pool;
    for (std::size_t i = 1; i < std::min(threads, count); ++i) { pool.emplace_back(run); }
    run();
  }
  if (failure) { std::rethrow_exception(failure); }
}

/// Makes items on other threads and hands them out in their order, so that the next one is ready when the taker is. At
/// most `threads + ahead` items are in the making or waiting, however slow the taker is, so memory stays bounded. An
/// exception in `make` comes out of take() in its place. One thread takes. The destructor waits for what is being made.
template <typename Item>
class OrderedPipeline {
 public:
  /// Items make(0), make(1), … make(count - 1).
  OrderedPipeline(std::size_t count, std::size_t threads, std::size_t ahead, std::function<Item(std::size_t)> make)
      : count_(count), limit_(threads + ahead), make_(std::move(make)) {
    for (std::size_t i = 0; i < std::min(threads, count); ++i) {
      pool_.emplace_back([this] { run(); });
    }
  }

  /// Items make(i) for each i of `indices`.
  OrderedPipeline(const std::vector<std::size_t>& indices, std::size_t threads, std::size_t ahead,
                  const std::function<Item(std::size_t)>& make)
      : OrderedPipeline(indices.size(), threads, ahead,
                        [indices, make](std::size_t place) { return make(indices[place]); }) {}

  ~OrderedPipeline() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
  }
  OrderedPipeline(const OrderedPipeline&) = delete;
  OrderedPipeline& operator=(const OrderedPipeline&) = delete;

  /// The next item. Call it no more often than there are items.
  Item take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return made_.contains(taken_); });
    Made made = std::move(made_.extract(taken_).mapped());
    ++taken_;
    lock.unlock();
    changed_.notify_all();
    if (!made.item) { std::rethrow_exception(made.failure); }
    return std::move(*made.item);
  }

 private:
  struct Made {
    std::optional<Item> item;
    std::exception_ptr failure;
  };

  void run() {
    for (;;) {
      std::size_t place = 0;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || begun_ == count_ || begun_ < taken_ + limit_; });
        if (stopping_ || begun_ == count_) { return; }
        place = begun_++;
      }
      Made made;
      try {
        made.item = make_(place);
      } catch (...) { made.failure = std::current_exception(); }
      {
        const std::lock_guard lock(mutex_);
        made_.emplace(place, std::move(made));
      }
      changed_.notify_all();
    }
  }

  const std::size_t count_;
  const std::size_t limit_;
  const std::function<Item(std::size_t)> make_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::size_t, Made> made_;  // by place
  std::size_t begun_ = 0;
  std::size_t taken_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> pool_;  // last, so that it ends first
};

}  // namespace mdl::worker::dataset
