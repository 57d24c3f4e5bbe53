#pragma once

#include <string>

namespace mdl::worker::process {

/// Leaves `message` in the file that TORCHELASTIC_ERROR_FILE names, in the form of torch's @record, so that the failure
/// report of torchrun or mdl-launch shows it. The first message of a process stays, with its time: it is the cause.
/// Does nothing when the variable is unset; never throws: there already is an error to report.
void write_error_file(const std::string& message) noexcept;

}  // namespace mdl::worker::process
