#include "worker/http/retry.hpp"

#include <algorithm>

namespace mdl::worker::http {

std::optional<std::chrono::milliseconds> Retry::next(const Failure& failure, bool progress) {
  failures_ = progress ? 1 : failures_ + 1;
  if (!failure.may_pass || failures_ >= limits_.attempts) { return std::nullopt; }
  if (failure.retry_after) {
    if (*failure.retry_after > limits_.longest_asked) { return std::nullopt; }
    return *failure.retry_after;
  }
  auto pause = limits_.first_pause;
  for (int doubled = 1; doubled < failures_ && pause < limits_.longest_pause; ++doubled) { pause *= 2; }
  return std::min(pause, limits_.longest_pause);
}

}  // namespace mdl::worker::http
