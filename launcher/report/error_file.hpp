#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace mdl::launcher::report {

/// What a worker wrote to TORCHELASTIC_ERROR_FILE: the JSON of torch.distributed.elastic's @record, which is either
/// {"message": {"message": TEXT, "extraInfo": {"py_callstack": TRACEBACK, "timestamp": SECONDS}}} or
/// {"message": TEXT, "timestamp": SECONDS}.
struct WorkerError {
  std::string message;
  std::string traceback;     ///< empty when there is none
  std::int64_t seconds = 0;  ///< when, since the epoch; 0 when it is not given
};

/// nullopt when there is no file, or nothing in it that can be understood (then with a warning that says so).
std::optional<WorkerError> read_error_file(const std::filesystem::path& path);

/// The same from the file's text.
std::optional<WorkerError> parse_error(const std::string& json);

/// The text of an error file with "errorCode" set to `exit_code` where torch puts it; nullopt when it is no JSON
/// object.
std::optional<std::string> with_exit_code(const std::string& json, int exit_code);

/// For a launcher that runs under another: copies a worker's error file to the launcher's own, with the worker's exit
/// code (negative for a signal) in it, as torchrun does. Failing to is a warning.
void pass_on_error_file(const std::filesystem::path& from, const std::filesystem::path& to, int exit_code);

}  // namespace mdl::launcher::report
