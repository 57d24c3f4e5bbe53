#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "worker/cli/progress_bar.hpp"
#include "worker/reports/metrics.hpp"

namespace mdl::worker::training::loop {

/// What rank 0 shows on stdout: on a terminal a bar that stays on one line, else format_metrics() for each step, so
/// that programs that read the Trainer's output keep working. Other metrics (evaluation, the end) are a line in both.
class Progress {
 public:
  /// `enabled` false: shows nothing (the other ranks). `steps_before` of the steps were done before this process began.
  Progress(bool enabled, int64_t total_steps, int64_t steps_before);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// After step `step` (from 1). `samples` were trained on in all steps so far of this process. Without metrics, where
  /// nothing is logged after that step, the bar alone goes on.
  void step(int64_t step, int64_t samples, const reports::Metrics& metrics);
  void line(const reports::Metrics& metrics);

 private:
  bool enabled_;
  bool terminal_;
  std::optional<cli::ProgressBar> bar_;
  int64_t steps_shown_;
  std::string last_;  ///< what was logged last
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace mdl::worker::training::loop
