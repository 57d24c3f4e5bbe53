#pragma once

#include <string>
#include <vector>

#include "launcher/accelerate/launch_plan.hpp"
#include "launcher/doctor/facts.hpp"

namespace mdl::launcher::accelerate {

/// What a launch says by itself before it starts, in the doctor's words: the checks that cost nothing (examine_cheaply)
/// as warnings. Of a job of several nodes the endpoint's name and owner, and of an mdl-toolkit the paths among its
/// arguments. They stop nothing: a name may resolve a moment later, and a folder may be made by then.
void warn_beforehand(const doctor::JobQuestion& job);

/// The same for a command line in torchrun's words; one that cannot be understood is left to the launcher's own parser.
void warn_beforehand(const std::vector<std::string>& arguments, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::accelerate
