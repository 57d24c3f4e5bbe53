#pragma once

#include <string>
#include <vector>

namespace mdl {

/// Runs `mdl-toolkit ARGUMENTS`: the first argument names the subcommand (train, convert-dataset, inference, info).
/// Returns the exit code. Throws UsageError for a wrong command line, Error when the command fails.
int run_toolkit(const std::vector<std::string>& arguments);

}  // namespace mdl
