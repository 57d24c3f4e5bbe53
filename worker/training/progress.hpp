#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/convert/progress_bar.hpp"

namespace mdl {

/// Named numbers in the order in which they are shown.
using Metrics = std::vector<std::pair<std::string, double>>;

/// One line of metrics as Hugging Face's Trainer prints it: {'loss': '7.712', 'learning_rate': '0.0001'}, four
/// significant digits.
std::string format_metrics(const Metrics& metrics);

/// What rank 0 shows on stdout: on a terminal a bar that stays on one line, else format_metrics() for each step, so
/// that programs that read the Trainer's output keep working. Other metrics (evaluation, the end) are a line in both.
class Progress {
 public:
  /// `enabled` false: shows nothing (the other ranks). `steps_before` of the steps were done before this process began.
  Progress(bool enabled, int64_t total_steps, int64_t steps_before);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After step `step` (from 1). `samples` were trained on in all steps so far of this process.
  void step(int64_t step, int64_t samples, const Metrics& metrics);
  void line(const Metrics& metrics);

 private:
  bool enabled_;
  bool terminal_;
  std::optional<ProgressBar> bar_;
  int64_t steps_shown_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace mdl
