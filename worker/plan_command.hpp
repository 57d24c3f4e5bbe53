#pragma once

#include <string>
#include <vector>

namespace mdl::worker {

/// `mdl-toolkit plan`: how much memory a training takes (worker/plan/).
int run_plan(const std::vector<std::string>& arguments);

}  // namespace mdl::worker
