#pragma once

#include <sys/types.h>

#include <vector>

namespace mdl::launcher::process {

/// Whether `pid` is a child of `root`, or a child of one, and so on. What descendants_of() says of orphans holds here,
/// too.
bool descends_from(pid_t pid, pid_t root);

/// All living descendants of `root`, parents before children, as /proc shows them now. Empty where there is no /proc.
/// Processes whose parent has died are descendants of `root` only while `root` is a child subreaper.
std::vector<pid_t> descendants_of(pid_t root);

/// Sends SIGKILL to every descendant of this process. What they fork meanwhile becomes a child of this process once
/// they are dead (if it is a child subreaper), so calling this after every SIGCHLD until no child is left ends them
/// all.
void kill_descendants();

}  // namespace mdl::launcher::process
