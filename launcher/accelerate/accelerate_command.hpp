#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"

namespace mdl::launcher::accelerate {

/// How mdl-launch's main uses this folder, before it parses its own options (`args` is argv without the program's
/// name):
///
///   if (accelerate::is_accelerate_command(args)) {
///     auto outcome = accelerate::run_command(args, machine_facts);   // prints what there is to print
///     if (!outcome.launch) return outcome.exit_code;
///     args = *outcome.launch;                                        // go on as if the user had written these options
///   }
///
/// Where a launch comes out, the variables for the workers are in this process's environment already (as accelerate
/// does with patch_environment): the workers inherit them. A set-up of one plain process replaces this process and does
/// not come back.

/// Whether the command line is one of: launch, config, env, doctor as the first word, or has an option --config-file
/// before the program. A program of such a name is started as ./launch.
bool is_accelerate_command(const std::vector<std::string>& args);

struct Outcome {
  int exit_code = 0;                               ///< meaningful when there is nothing to launch
  std::optional<std::vector<std::string>> launch;  ///< the launcher's own arguments
};

/// Runs one of the commands above to its end, or resolves a launch. Throws Error and UsageError.
Outcome run_command(const std::vector<std::string>& args, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
