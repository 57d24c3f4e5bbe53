#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "worker/reports/page/series.hpp"

namespace mdl::worker::reports::page {

/// The file of a checkpoint that has what a report shows and the Trainer's log has not. Only this program writes and
/// reads it; the Trainer passes over it.
inline constexpr const char* kSidecarFile = "mdl_history.json";

/// How a process began its part of a run.
struct RunBegin {
  enum class Kind { started, resumed, restarted };
  Kind kind = Kind::started;  ///< resumed by its user, or restarted by its launcher
  std::int64_t step = 0;      ///< that were done
  std::int64_t ranks = 1;
  std::int64_t time = 0;  ///< seconds since 1970
  double seconds = 0;     ///< of training by this process, up to what is known

  bool operator==(const RunBegin&) const = default;
};

/// "started", "resumed" or "restarted".
std::string_view name_of(RunBegin::Kind kind);

/// What some steps took, of which `step` is the last.
struct StepRecord {
  std::int64_t step = 0;
  double samples = 0;              ///< of all ranks
  double seconds = 0;              ///< without evaluations and checkpoints
  std::int64_t process_bytes = 0;  ///< rank 0's resident memory at its fullest so far
  std::int64_t gpu_bytes = 0;      ///< its tensors on the GPU at their fullest so far; 0: no GPU

  bool operator==(const StepRecord&) const = default;
};

/// Beginnings and records of a run, by rising step.
struct Sidecar {
  std::vector<RunBegin> begins{};
  std::vector<StepRecord> records{};

  /// Beyond so many records two neighbours become one, so that a file has half a megabyte at most.
  static constexpr std::size_t kMostRecords = 8192;

  void add(const StepRecord& record);
  void cut_back(std::int64_t step);

  Points samples_per_second() const;
  Points process_memory() const;  ///< in GiB
  Points gpu_memory() const;      ///< in GiB; empty without a GPU
  double seconds() const;         ///< of training by all processes

  std::string to_json() const;
};

/// The text of `file`. Throws UsageError naming it where it makes no sense.
Sidecar parse_sidecar(const std::string& text, const std::filesystem::path& file);

}  // namespace mdl::worker::reports::page
