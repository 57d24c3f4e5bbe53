#pragma once

#include <string>
#include <vector>

namespace mdl::worker::hub {

/// `mdl-toolkit download NAME [options]`: brings a model into its hub's cache, or finds it there, and prints its folder
/// on stdout. Returns the exit code; throws Error and UsageError.
int download_command(const std::vector<std::string>& arguments);

}  // namespace mdl::worker::hub
