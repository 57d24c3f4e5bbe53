#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "common/unique_fd.hpp"
#include "worker/reports/metrics.hpp"

namespace mdl::worker::reports {

class EventFile;

/// What `--report-to` names.
enum class ReportKind {
  tensorboard,  ///< OUTPUT/runs/DATE_HOST/events.out.tfevents.…, or in the folder TENSORBOARD_LOGGING_DIR
  json,         ///< OUTPUT/log.jsonl
};

/// "loss" -> "train/loss", "eval_loss" -> "eval/loss": the tags under which the Trainer reports to TensorBoard.
std::string tensorboard_tag(const std::string& metric);

/// Writes what a run logs to where `--report-to` says, a line at a time and flushed, so that it can be watched. Held by
/// rank 0 only. Throws Error naming the file that cannot be written.
class Reports {
 public:
  /// `settings` is a JSON text about the run, shown by TensorBoard as text "args". `history` is what was logged before
  /// the checkpoint that the run goes on from: log.jsonl begins with it, in place of what an earlier run left there.
  Reports(const std::set<ReportKind>& kinds, const std::filesystem::path& output, const std::string& settings,
          const nlohmann::json& history);
  ~Reports();

  void log(const Metrics& metrics, int64_t step);

 private:
  void write_line(const nlohmann::json& entry);

  std::unique_ptr<EventFile> events_;  ///< null: not asked for
  std::filesystem::path lines_path_;
  std::optional<UniqueFd> lines_;  ///< null: not asked for
};

}  // namespace mdl::worker::reports
