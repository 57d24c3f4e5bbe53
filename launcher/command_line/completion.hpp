#pragma once

#include <string>
#include <vector>

#include "launcher/command_line/command_help.hpp"

namespace mdl::launcher::command_line {

/// A script that teaches `shell` (bash, zsh, fish or tcsh) to complete the command lines of mdl-launch: the commands,
/// the options of each and the words that are known of their values (tcsh: only the options of mdl-launch itself), and
/// files. `helps` are mdl-launch without a command, then its commands.
std::string completion_script(const std::string& shell, const std::vector<CommandHelp>& helps);

}  // namespace mdl::launcher::command_line
