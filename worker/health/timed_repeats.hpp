#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace mdl::worker::health {

/// How often something is done to know how long it takes.
struct RepeatPlan {
  std::chrono::nanoseconds budget{};  ///< after that long no further repeat begins
  int least = 3;                      ///< even where they take longer
  int most = 1000;
};

struct Repeats {
  std::chrono::nanoseconds median{};  ///< of one; at least 1 ns
  int count = 0;
};

using SteadyNow = std::function<std::chrono::steady_clock::time_point()>;

/// Does `work` once to warm up, then again and again.
Repeats measure_repeats(const std::function<void()>& work, const RepeatPlan& plan,
                        const SteadyNow& now = std::chrono::steady_clock::now);

/// Of an even number the mean of the middle ones; `durations` has at least one.
std::chrono::nanoseconds median_duration(std::vector<std::chrono::nanoseconds> durations);

/// How much of something happens in a second, where it takes so long once.
std::int64_t per_second(double amount, std::chrono::nanoseconds duration);

}  // namespace mdl::worker::health
