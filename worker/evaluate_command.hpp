#pragma once

#include <string>
#include <vector>

namespace mdl::worker {

/// `mdl-toolkit evaluate`: arguments without the command's name -> exit code. Throws Error.
int run_evaluate(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
