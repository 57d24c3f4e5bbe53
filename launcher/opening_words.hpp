#pragma once

#include "launcher/command_line/launch_plan.hpp"
#include "launcher/output/run_folder.hpp"

namespace mdl::launcher {

/// What the user should know before the first worker starts: threads that are limited, and where log files are that are
/// kept for him in `folder`.
void say_opening_words(const command_line::LaunchPlan& plan, output::RunFolder& folder);

}  // namespace mdl::launcher
