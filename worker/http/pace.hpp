#pragma once

#include <chrono>
#include <cstdint>

namespace mdl::worker::http {

/// The fewest bytes that count as an answer going on.
struct LowestSpeed {
  std::int64_t bytes_per_second = 256;
  std::chrono::seconds over{60};  ///< measured over so long
};

/// Whether bytes come fast enough: a server that drips a byte a second is no better than one that is silent. Stretches
/// of LowestSpeed::over follow each other from `begin` on. No clock in here.
class Pace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  Pace(LowestSpeed lowest, Time begin) : lowest_(lowest), begin_(begin) {}

  void add(std::int64_t bytes) { bytes_ += bytes; }
  /// Whether a stretch has ended by `now` with too few bytes.
  bool is_too_slow(Time now);

 private:
  LowestSpeed lowest_;
  Time begin_;
  std::int64_t bytes_ = 0;
};

/// Whether `bytes` in `passed` are at least the lowest speed.
bool keeps_pace(LowestSpeed lowest, std::int64_t bytes, std::chrono::steady_clock::duration passed);

}  // namespace mdl::worker::http
