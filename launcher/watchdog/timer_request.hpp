#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mdl::launcher::watchdog {

/// What a worker asks of the watchdog: a line of JSON, as torch.distributed.elastic.timer.FileTimerClient (2.15) writes
/// it: {"version": 1, "pid": 42, "scope_id": "step", "expiration_time": 1764297000.5, "signal": 9}.
struct TimerRequest {
  std::int64_t pid = 0;
  std::string scope{};         ///< the timer's name; with the pid it names one timer
  double expiration_time = 0;  ///< seconds since the epoch, may be infinite; negative: the timer is released
  int signal = 0;              ///< what its process is killed with; 0 or less: it is not
};

/// nullopt for what is no request: other JSON, a pid or signal that cannot be, a time that is no number.
std::optional<TimerRequest> parse_timer_request(std::string_view line);

/// Takes the bytes of a pipe apart into lines. A line that is longer than what a pipe takes at once (4096 bytes, beyond
/// which the client refuses to write) is passed over to its end, so that memory is bounded whatever is written.
class RequestLines {
 public:
  static constexpr std::size_t kLongest = 4096;

  /// Calls `take` with each line that `bytes` completes, without its end. Returns how many were too long.
  template <typename Take>
  int feed(std::string_view bytes, Take take) {
    int too_long = 0;
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      append(bytes.substr(0, end));
      if (end == std::string_view::npos) { break; }
      if (skipping_) {
        ++too_long;
      } else {
        take(std::string_view(line_));
      }
      line_.clear();
      skipping_ = false;
      bytes.remove_prefix(end + 1);
    }
    return too_long;
  }

  std::size_t held() const { return line_.size(); }

 private:
  void append(std::string_view bytes) {
    skipping_ = skipping_ || line_.size() + bytes.size() > kLongest;
    if (skipping_) {
      line_.clear();
    } else {
      line_ += bytes;
    }
  }

  std::string line_{};
  bool skipping_ = false;
};

}  // namespace mdl::launcher::watchdog
