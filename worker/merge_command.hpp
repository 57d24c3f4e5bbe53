#pragma once

#include <string>
#include <vector>

namespace mdl::worker {

/// `mdl-toolkit merge ARGUMENTS…`. Returns the exit status; throws Error.
int run_merge(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
