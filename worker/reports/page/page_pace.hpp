#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace mdl::worker::reports::page {

/// When the page of a run that goes on is written anew: when something was logged since, first 2 s after the run's
/// begin, then 10 s after it was written last, or 50 times as long as that took. So writing takes at most a fiftieth of
/// the time, however long the run and however slow the disk. Decides by what it is told; whoever asks has the clock.
class PagePace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  static constexpr std::chrono::seconds kFirst{2}, kEvery{10};
  static constexpr int kShare = 50;

  explicit PagePace(Time begin) : next_(begin + kFirst) {}

  /// When to write, after `logged` lines were logged. Nothing: there is nothing new.
  std::optional<Time> next_write(std::int64_t logged) const {
    return logged > written_ ? std::optional(next_) : std::nullopt;
  }

  /// The page was written, with `logged` lines.
  void wrote(Time begin, Time end, std::int64_t logged) {
    next_ = end + std::max<Time::duration>(kEvery, kShare * (end - begin));
    written_ = logged;
  }

 private:
  Time next_;
  std::int64_t written_ = 0;
};

}  // namespace mdl::worker::reports::page
