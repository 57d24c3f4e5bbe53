#include "launcher/job/free_restarts.hpp"

#include <algorithm>

namespace mdl::launcher::job {

std::optional<std::chrono::seconds> FreeRestarts::round_ended(RoundEnd why, std::chrono::nanoseconds lived) {
  if (why == RoundEnd::failure || lived >= kShortLife) {
    short_in_a_row_ = 0;
    return std::chrono::seconds(0);
  }
  ++short_in_a_row_;
  if (short_in_a_row_ >= kMostInARow && why == RoundEnd::membership) { return std::nullopt; }
  constexpr int kMostDoublings = 5;  // 2^5 s is more than the longest pause
  const std::chrono::seconds doubled(1 << std::min(short_in_a_row_ - 1, kMostDoublings));
  return std::min(doubled, kLongestPause);
}

}  // namespace mdl::launcher::job
