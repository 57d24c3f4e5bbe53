#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace mdl::launcher::process {

/// What /proc tells of a process, as the kernel's letters and numbers go.
struct ProcessStat {
  char state = 0;  ///< 'R', 'S', 'D' (uninterruptible sleep), 'Z' (has ended), …
  pid_t parent = 0;
  std::uint64_t start_time = 0;  ///< in ticks since the boot; a pid that is used again has another one
};

/// nullopt when there is no such process.
std::optional<ProcessStat> process_stat(pid_t pid);

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
