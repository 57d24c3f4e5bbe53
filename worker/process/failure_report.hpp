#pragma once

#include <string>

namespace mdl::worker::process {

/// `message` with \xHH for what would steer a terminal: control characters other than line ends and tabs, also U+0080
/// to U+009F, and the marks that turn the direction of writing. Names in messages may come from a stranger's server.
std::string without_escapes(const std::string& message);

/// Tells the user of a failure: one message on stderr, with the rank when there are several, and the same in the
/// launcher's error file. Returns `exit_code`, for main() to end with.
int report_failure(const std::string& message, int exit_code);

}  // namespace mdl::worker::process
