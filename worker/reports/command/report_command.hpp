#pragma once

#include <string>
#include <vector>

namespace mdl::worker::reports::command {

/// `mdl-toolkit report`: `arguments` are those after the subcommand. Writes a page about one run, or several in one
/// picture. Returns the exit code; throws UsageError, Error.
int report_command(const std::vector<std::string>& arguments);

/// The shortest ends of the paths that tell them apart: "a" and "b" of "runs/a" and "runs/b". Those that are the same
/// stay alike.
std::vector<std::string> short_names(const std::vector<std::string>& places);

}  // namespace mdl::worker::reports::command
