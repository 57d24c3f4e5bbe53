#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace mdl::worker::cli {

/// What a bar counts, and how far it goes.
struct BarScale {
  std::string what;           ///< "Converting"
  std::int64_t total = 0;     ///< of `unit`
  std::int64_t found = 0;     ///< of these, done by an earlier run: they say nothing about the speed of this one
  std::string unit = "rows";  ///< "bytes" are shown in kB, MB or GB
};

/// A line on a terminal that says how far the work is: amount, time passed and left, rate, and what else the user adds.
/// It is redrawn in place, at most ten times a second, and only when `file` is a terminal. Used by one thread.
class ProgressBar {
 public:
  /// Draws on `file` (stderr or stdout), and nothing before the first add().
  explicit ProgressBar(BarScale scale, std::FILE* file = stderr);
  ~ProgressBar();  ///< draws the last state and ends the line
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Further `count` are done; `details` are shown behind the rate.
  void add(std::int64_t count, const std::string& details = {});

  /// Whether there is a terminal to draw on.
  bool is_drawn() const { return terminal_; }

  /// Ends the line, so that other text can follow; the next add() begins a new one.
  void end_line();

 private:
  void draw();

  BarScale scale_;
  std::FILE* file_;
  bool terminal_;
  std::int64_t done_;
  std::string details_;
  bool line_open_ = false;  ///< something is drawn on the line
  bool up_to_date_ = true;  ///< nothing has changed since
  std::chrono::steady_clock::time_point begin_, drawn_;
};

/// "Converting 450/1000 rows [#########...........] 00:36<00:44 12.5 rows/s" after `passed`; `done` counts what was
/// found, the time left and the rate do not (pure).
std::string describe_progress(const BarScale& scale, std::int64_t done, std::chrono::duration<double> passed);

}  // namespace mdl::worker::cli
