#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "launcher/progress/point_window.hpp"
#include "launcher/progress/progress_message.hpp"
#include "launcher/progress/rank_summary.hpp"
#include "launcher/progress/step_counter.hpp"

namespace mdl::launcher::progress {

/// What one worker has said since it was started, in bounded memory. Pure: the time is fed in, and never goes back.
class RankProgress {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMostASecond = 100;

  /// Takes a datagram; one beyond kMostASecond within a second is only counted, and one that is no message as well.
  /// False when it was dropped.
  bool take(std::string_view datagram, Time now);

  RankSummary summary(Time now) const;
  std::int64_t wrong() const { return wrong_; }

 private:
  /// What was known with a step.
  struct Point {
    Time at{};
    std::optional<std::int64_t> step{};
    std::optional<std::int64_t> samples{};
  };

  bool may_read(Time now);
  void apply(const ProgressMessage& message, Time now);
  void enter_section(const ProgressMessage& message, bool new_step, Time now);
  void begin_rates_anew();
  void note_step(Time now);
  void note_interval(Time now);
  template <typename Value>
  std::optional<double> added(std::optional<Value> Point::* counter, Time begin) const;
  void add_rates(RankSummary& summary, Time now) const;

  std::array<Time, kMostASecond> read_at_{};  ///< the last ones, in a ring
  std::size_t reads_ = 0;
  std::int64_t dropped_ = 0;
  std::int64_t wrong_ = 0;
  ProgressMessage last_{};  ///< each field as it was said last
  std::optional<Time> heard_at_{};
  std::optional<Time> step_at_{};
  bool made_step_ = false;
  std::optional<Time> section_since_{};
  std::optional<Time> section_left_at_{};  ///< since the last step
  std::optional<Time::duration> longest_step_{};
  std::optional<std::int64_t> eval_step_{};  ///< of last_.eval_loss
  PointWindow<Point> window_{};
  StepCounter own_{};
  StepCounter waiting_{};
};

}  // namespace mdl::launcher::progress
