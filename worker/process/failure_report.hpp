#pragma once

#include <string>

namespace mdl::worker::process {

/// Tells the user of a failure: one message on stderr (log::escaped), with the rank when there are several, and the
/// same in the launcher's error file. Returns `exit_code`, for main() to end with.
int report_failure(const std::string& message, int exit_code);

}  // namespace mdl::worker::process
