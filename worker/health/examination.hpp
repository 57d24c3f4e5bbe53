#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "worker/health/health_report.hpp"

namespace mdl::worker::health {

/// The parts of an examination, one after the other, within a time limit. A part that throws is told as not measured,
/// and the next one follows. One that never ends (a disk or a GPU that hangs) cannot be ended: at the limit a thread
/// of its own tells what is known by then.
class Examination {
 public:
  using Clock = std::chrono::steady_clock;

  /// `head`: what is known of the process. `when_stuck` gets the report at the limit, unless finish() has come before;
  /// with the part that hangs, and those of `expected` (names) that it has kept from being measured. Called from a
  /// thread of its own, while the part goes on: it should end the process.
  Examination(HealthReport head, std::vector<std::string> expected, std::chrono::milliseconds limit,
              std::function<void(const HealthReport&)> when_stuck);
  ~Examination();
  Examination(const Examination&) = delete;
  Examination& operator=(const Examination&) = delete;

  /// Measures a part. What `measure` throws becomes its reason.
  void part(const std::string& name, const std::function<HealthPart::Numbers()>& measure);
  /// What is still to come until the limit.
  std::chrono::milliseconds left() const;
  /// What is known so far.
  HealthReport snapshot() const;
  /// The whole report. Once, at the end.
  HealthReport finish();

 private:
  void watch();
  void add(HealthPart part);
  HealthReport stuck_report() const;

  const Clock::time_point begin_;
  const std::chrono::milliseconds limit_;
  const std::vector<std::string> expected_;
  const std::function<void(const HealthReport&)> when_stuck_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  HealthReport report_;
  std::string current_;  ///< the part that is being measured
  bool finished_ = false;
  std::thread thread_;
};

}  // namespace mdl::worker::health
