#pragma once

namespace mdl::launcher::process {

/// Lets this process have as many descriptors as it may: the store that it hosts needs one for each worker and agent of
/// the job, and login shells allow 1024. Processes that it starts are given back the limit of before (see
/// restore_file_limit).
void raise_file_limit();

/// In a child, before it runs another program: programs that use select() must not get descriptors above its limit, and
/// users expect `ulimit -n`. Only makes a system call.
void restore_file_limit();

}  // namespace mdl::launcher::process
