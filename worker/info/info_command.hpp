#pragma once

#include <string>
#include <vector>

namespace mdl::worker::info {

/// `mdl-toolkit info`: `arguments` are those after the subcommand. Prints what a checkpoint, adapter or dataset folder
/// holds. Returns the exit code; throws UsageError for a wrong command line or a folder that is none of these.
int info_command(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::info
