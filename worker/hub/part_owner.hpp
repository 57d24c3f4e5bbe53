#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/process_stat.hpp"

namespace mdl::worker::hub {

/// The process that a part file belongs to. It stands in the file's name, so that other processes, also those of other
/// machines on the same disk, know whose it is.
struct PartOwner {
  std::string host;                 ///< for people: its name, letters and digits only
  std::string machine;              ///< of host name and /etc/machine-id, 8 hex digits; "0" where there is no such file
  std::string boot;                 ///< of the kernel's boot id, 8 hex digits; "0" where /proc does not tell
  std::uint64_t pid_namespace = 0;  ///< 0 where /proc does not tell
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< 0 where /proc does not tell

  /// "HOST-MACHINE-BOOT-NAMESPACE-PID-START".
  std::string text() const;
  bool operator==(const PartOwner&) const = default;
};

std::optional<PartOwner> parse_part_owner(std::string_view text);

/// The running process.
PartOwner this_process();

/// Whether the kernel knows a process of that number, whatever /proc shows (hidepid hides some).
bool process_exists(pid_t pid);

/// Whether `owner` has certainly ended, with all its threads, as seen from `here`: in the same process table there is
/// no such process; or the machine was started anew since. Of a process of another machine, or in another container,
/// nothing is certain, nor where either of the two had no /proc to look at. `look` is process_stat(), `exists`
/// process_exists().
bool has_ended(const PartOwner& owner, const PartOwner& here,
               const std::function<std::optional<ProcessStat>(pid_t)>& look = process_stat,
               const std::function<bool(pid_t)>& exists = process_exists);

}  // namespace mdl::worker::hub
