#pragma once

#include <string>
#include <vector>

namespace mdl::worker::health::command {

/// `mdl-toolkit health`. Returns the exit code: 1 where a part could not be measured. Throws UsageError for a wrong
/// command line, Error where this process has no device to compute on.
int run_health(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::health::command
