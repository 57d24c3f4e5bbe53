#pragma once

#include <functional>
#include <string>

namespace mdl::worker::process {

/// Tells the user of a failure: one message on stderr (log::escaped), with the rank when there are several, and the
/// same in the launcher's error file. Returns `exit_code`, for main() to end with.
int report_failure(const std::string& message, int exit_code);

/// The frame of a main() that computes nothing with LibTorch: returns what `work` returns, or what report_failure()
/// does where it throws or what it has written to stdout cannot be written.
int run_reporting(const std::function<int()>& work);

}  // namespace mdl::worker::process
