#pragma once

#include <vector>

#include "launcher/command_line/command_help.hpp"

namespace mdl::launcher {

/// mdl-launch without a command, then all its commands.
const std::vector<command_line::CommandHelp>& all_commands();

}  // namespace mdl::launcher
