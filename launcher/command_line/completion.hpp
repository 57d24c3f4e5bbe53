#pragma once

#include <string>

#include "launcher/command_line/option_table.hpp"

namespace mdl::launcher::command_line {

/// A script that teaches `shell` (bash, zsh or tcsh) to complete mdl-launch's options, and file names after them.
std::string completion_script(const std::string& shell, const OptionTable& options);

}  // namespace mdl::launcher::command_line
