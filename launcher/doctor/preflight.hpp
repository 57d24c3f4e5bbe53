#pragma once

#include "launcher/doctor/job_spec.hpp"

namespace mdl::launcher::doctor {

/// What a launch says by itself before it starts, in the doctor's words: the checks that cost nothing (examine_cheaply)
/// as warnings. Of a job with an endpoint its name and owner, and of an mdl-toolkit the paths among its arguments. They
/// stop nothing: a name may resolve a moment later, and a folder may be made by then.
void warn_beforehand(const JobSpec& job);

/// The same for a launch in torchrun's words; what is wrong with one the launcher itself says.
void warn_beforehand(const command_line::LaunchOptions& options, const machine::MachineFacts& facts);

}  // namespace mdl::launcher::doctor
