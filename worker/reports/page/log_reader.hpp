#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "worker/reports/page/run_history.hpp"

namespace mdl::worker::reports::page {

/// The largest file that is read, in bytes: a million logged steps.
inline constexpr std::uintmax_t kMostLogBytes = std::uintmax_t{256} << 20;

/// Adds an entry of a Trainer's log, an object with "step" and numbers; other values in it are passed over. An entry of
/// an earlier step than the one before means that the run went back. `place`: of it, for messages. Throws UsageError.
void add_log_entry(RunHistory& history, const nlohmann::json& entry, const std::string& place);

/// trainer_state.json of any Trainer, Python's NaN and Infinity in it. `text`: of `file`. Throws UsageError with file
/// and line, or file and entry: no JSON, nested too deep, no log_history, a step that is none, too many metrics.
RunHistory read_trainer_state(const std::string& text, const std::filesystem::path& file);

/// log.jsonl: a log's entries, one a line. A last line without a line end that is cut off is passed over: the run that
/// writes the file may just be at it. Throws UsageError with file and line.
RunHistory read_log_lines(const std::string& text, const std::filesystem::path& file);

}  // namespace mdl::worker::reports::page
