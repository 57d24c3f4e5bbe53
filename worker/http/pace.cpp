#include "worker/http/pace.hpp"

namespace mdl::worker::http {

bool keeps_pace(LowestSpeed lowest, std::int64_t bytes, std::chrono::steady_clock::duration passed) {
  const std::chrono::duration<double> seconds = passed;
  return static_cast<double>(bytes) >= seconds.count() * static_cast<double>(lowest.bytes_per_second);
}

bool Pace::is_too_slow(Time now) {
  if (now - begin_ < lowest_.over) { return false; }
  const bool slow = !keeps_pace(lowest_, bytes_, now - begin_);
  begin_ = now;
  bytes_ = 0;
  return slow;
}

}  // namespace mdl::worker::http
