#pragma once

#include <string>
#include <vector>

namespace mdl::worker::convert {

/// `mdl-toolkit convert-dataset`: `arguments` are those after the subcommand. Returns the exit code; throws UsageError
/// for a wrong command line or bad rows, Error when the conversion fails.
int convert_command(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::convert
