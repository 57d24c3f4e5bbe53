#pragma once

#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"
#include "launcher/command_line/command_help.hpp"

namespace mdl::launcher::accelerate {

/// `mdl-launch env [--config-file PATH]`: what a bug report needs, on stdout: versions, system, GPUs, the variables
/// that steer a launch, and the configuration file. Values of variables whose name speaks of a secret are left out.
/// Returns the exit code.
int env_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts);

/// `mdl-launch env`, as its --help tells it.
const command_line::CommandHelp& env_help();

}  // namespace mdl::launcher::accelerate
