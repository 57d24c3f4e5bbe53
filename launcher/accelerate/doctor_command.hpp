#pragma once

#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"

namespace mdl::launcher::accelerate {

/// `mdl-launch doctor [--json] [--wait SECONDS] [options of a launch] [PROGRAM …]`. Starts no worker. Returns 1 when
/// the job would fail, else 0; throws UsageError for a wrong command line.
int doctor_command(const std::vector<std::string>& arguments, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
