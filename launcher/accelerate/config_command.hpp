#pragma once

#include <string>
#include <vector>

#include "launcher/command_line/command_help.hpp"
#include "launcher/machine/machine_facts.hpp"

namespace mdl::launcher::accelerate {

/// `mdl-launch config [--config-file PATH] [--lang en|zh]` and `mdl-launch config default [--config-file PATH]
/// [--mixed-precision …]`. Without a path the file goes where accelerate looks for it. That the folder can be written
/// is found before the first question. `default` leaves an existing file alone, as accelerate's does. Returns the exit
/// code; throws Error and UsageError.
int config_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts);

const command_line::OptionTable& config_option_table();

/// `mdl-launch config`, as its --help tells it.
const command_line::CommandHelp& config_help();

}  // namespace mdl::launcher::accelerate
