#pragma once

namespace mdl::launcher::process {

// Both work where the kernel has no close_range (before Linux 5.9, and for the second 5.11), make only system calls,
// and so may be used between vfork and exec. Such a kernel is asked for each descriptor below 65536 and RLIMIT_NOFILE.

/// Closes all descriptors from `first` to `last`, both included.
void close_files(unsigned first, unsigned last = ~0U);

/// Has an exec close all descriptors from `first` on; until then they can be used.
void close_files_on_exec(unsigned first);

}  // namespace mdl::launcher::process
