#pragma once

#include <chrono>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "worker/reports/metrics.hpp"
#include "worker/reports/page/run_history.hpp"
#include "worker/reports/page_file.hpp"

namespace mdl::worker::reports {

/// What is known of a run from its first step on, over resumes and restarts, for its page, its checkpoints' sidecars
/// and what is told at its end. Held by rank 0 only. Its functions may be called by several threads.
class RunReport {
 public:
  /// `known`: of the steps before this process's, and the tables. The page is OUTPUT/report.html, where `with_page`.
  RunReport(const std::filesystem::path& output, page::RunHistory known, const page::RunBegin& begin, bool with_page);

  /// A step begins to be computed; what comes between two steps (evaluations, checkpoints) is none's time.
  void begin_step();

  /// Step `step` was computed. `samples`: of all ranks since this process began; `gpu_bytes`: most that its tensors
  /// took so far, 0: no GPU.
  void end_step(std::int64_t step, std::int64_t samples, std::int64_t gpu_bytes);

  void log(const Metrics& metrics, std::int64_t step);

  /// The evaluation that counts as the best one.
  void set_best(const page::Best& best);

  /// As page::Sidecar::to_json(), up to now.
  std::string sidecar() const;

  page::RunHistory history() const;

  /// The run came to its end. Where its page is, if it could be written.
  std::optional<std::filesystem::path> finish();

 private:
  using Clock = std::chrono::steady_clock;

  page::RunHistory known_so_far() const;  ///< with mutex_ held

  mutable std::mutex mutex_;
  page::RunHistory history_;
  Clock::time_point begin_ = Clock::now(), step_begin_ = begin_;
  std::int64_t samples_ = 0;  ///< of all steps of this process
  std::filesystem::path file_;
  std::optional<PageFile> page_;  ///< the last member: its thread uses the others
};

}  // namespace mdl::worker::reports
