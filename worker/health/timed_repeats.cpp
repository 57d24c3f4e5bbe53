#include "worker/health/timed_repeats.hpp"

#include <algorithm>
#include <cmath>

namespace mdl::worker::health {

std::chrono::nanoseconds median_duration(std::vector<std::chrono::nanoseconds> durations) {
  std::sort(durations.begin(), durations.end());
  const std::size_t half = durations.size() / 2;
  if (durations.size() % 2 == 1) { return durations[half]; }
  return (durations[half - 1] + durations[half]) / 2;
}

Repeats measure_repeats(const std::function<void()>& work, const RepeatPlan& plan, const SteadyNow& now) {
  work();
  std::vector<std::chrono::nanoseconds> durations;
  const auto end = now() + plan.budget;
  for (auto begin = now(); std::ssize(durations) < plan.most;) {
    work();
    const auto done = now();
    durations.push_back(done - begin);
    begin = done;
    if (std::ssize(durations) >= plan.least && done >= end) { break; }
  }
  const auto median = std::max(median_duration(durations), std::chrono::nanoseconds(1));
  return {median, static_cast<int>(durations.size())};
}

std::int64_t per_second(double amount, std::chrono::nanoseconds duration) {
  return std::llround(amount / std::chrono::duration<double>(duration).count());
}

}  // namespace mdl::worker::health
