#pragma once

#include <string>

#include "launcher/command_line/command_help.hpp"

namespace mdl::launcher::command_line {

/// The name of a command's page: "mdl-launch", "mdl-launch-doctor".
std::string page_name(const CommandHelp& help);

/// The page of section 1 in troff's language (man(7)): name, how it is written, what it does, the options by group as
/// --help has them. Nothing in it depends on when or where it is made.
std::string manual_page(const CommandHelp& help);

}  // namespace mdl::launcher::command_line
