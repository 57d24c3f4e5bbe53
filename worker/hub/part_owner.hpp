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
  std::string host;     ///< for people: its name, letters and digits only
  std::string machine;  ///< of host name and /etc/machine-id, 8 hex digits; "0" where there is no such file
  std::string boot;     ///< of the kernel's boot id, 8 hex digits
  std::uint64_t pid_namespace = 0;
  pid_t pid = 0;
  std::uint64_t start_time = 0;

  /// "HOST-MACHINE-BOOT-NAMESPACE-PID-START".
  std::string text() const;
  bool operator==(const PartOwner&) const = default;
};

std::optional<PartOwner> parse_part_owner(std::string_view text);

/// The running process.
PartOwner this_process();

/// Whether `owner` has certainly ended, as seen from `here`: in the same process table there is no such process; or
/// the machine was started anew since. Of a process of another machine, or in another container, nothing is certain.
/// `look` is process_stat().
bool has_ended(const PartOwner& owner, const PartOwner& here,
               const std::function<std::optional<ProcessStat>(pid_t)>& look = process_stat);

}  // namespace mdl::worker::hub
