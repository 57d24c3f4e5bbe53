#pragma once

#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"
#include "launcher/command_line/command_help.hpp"

namespace mdl::launcher::accelerate {

/// `mdl-launch doctor [--json] [--wait SECONDS] [options of a launch] [PROGRAM …]`. Starts no worker. Returns 1 when
/// the job would fail, else 0; throws UsageError for a wrong command line.
int doctor_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts);

/// `mdl-launch doctor`, as its --help tells it.
const command_line::CommandHelp& doctor_help();

}  // namespace mdl::launcher::accelerate
