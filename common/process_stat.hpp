#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace mdl {

/// What /proc/PID/stat tells of a process, as the kernel's letters and numbers go.
struct ProcessStat {
  char state = 0;  ///< 'R', 'S', 'D' (uninterruptible sleep), 'Z' (has ended), …
  pid_t parent = 0;
  std::uint64_t start_time = 0;  ///< in ticks since the boot; a pid that is used again has another one
  std::uint64_t cpu_ticks = 0;   ///< that it has computed, in its own code and in the kernel's, with all its threads
  std::int64_t threads = 1;      ///< that have not ended; of a process in state Z others than the first may go on
};

/// nullopt when there is no such process.
std::optional<ProcessStat> process_stat(pid_t pid);
/// The same of one thread; its state and CPU time are its own.
std::optional<ProcessStat> thread_stat(pid_t pid, pid_t thread);

}  // namespace mdl
