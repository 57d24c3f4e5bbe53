#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace mdl {

/// A line on stderr that says how far the work is: percent, rows, rows per second, time left. It is redrawn in place,
/// at most ten times a second, and only when stderr is a terminal. Used by one thread.
class ProgressBar {
 public:
  ProgressBar(std::string what, std::int64_t total);
  ~ProgressBar();  ///< ends the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void add(std::int64_t count);

 private:
  void draw();

  std::string what_;
  std::int64_t total_, done_ = 0;
  bool shown_;
  std::chrono::steady_clock::time_point begin_, drawn_;
};

/// "  45% 450/1000 rows, 12.3 rows/s, 0:44 left" (pure).
std::string describe_progress(std::int64_t done, std::int64_t total, std::chrono::duration<double> passed);

}  // namespace mdl
