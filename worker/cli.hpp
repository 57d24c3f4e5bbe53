#pragma once

#include <string>
#include <vector>

namespace mdl {

/// Runs `mdl-toolkit ARGUMENTS`: the first argument names the subcommand (train, convert-dataset, inference, info).
/// An error is one message on stderr, with the rank when there are several, and in the launcher's error file.
/// Returns the exit code: 0, 1 when the command failed, 2 for a wrong command line or input. Does not return after a
/// signal that stopped the training: the process ends by that signal.
int run_toolkit(const std::vector<std::string>& arguments);

}  // namespace mdl
