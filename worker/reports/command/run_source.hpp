#pragma once

#include <filesystem>

#include "worker/reports/page/run_history.hpp"

namespace mdl::worker::reports::command {

/// What a Trainer left of a run in `place`: a trainer_state.json, a log with an entry a line (log.jsonl), a
/// checkpoint's folder, or the folder of a run, of which the newest checkpoint counts, and without one log.jsonl.
/// Checkpoints of ours tell more: see page::kSidecarFile. Throws UsageError naming file and line where it makes no
/// sense, and Error where a file cannot be read.
page::RunHistory read_run(const std::filesystem::path& place);

}  // namespace mdl::worker::reports::command
