#pragma once

#include <string>
#include <vector>

namespace mdl::worker {

/// `mdl-toolkit inference`: arguments without the command's name -> exit code. Throws Error.
int run_inference(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
