#pragma once

#include "launcher/command_line/option_table.hpp"

namespace mdl::launcher::command_line {

/// torchrun's options, and mdl-launch's few besides them.
const OptionTable& launch_option_table();

}  // namespace mdl::launcher::command_line
