#pragma once

#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"

namespace mdl::launcher::accelerate {

/// `mdl-launch env [--config-file PATH]`: what a bug report needs, on stdout: versions, system, GPUs, the variables
/// that steer a launch, and the configuration file. Values of variables whose name speaks of a secret are left out.
/// Returns the exit code.
int env_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
