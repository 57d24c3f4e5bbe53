#pragma once

#include <cstdint>
#include <optional>

namespace mdl::launcher::process {

/// How many processes the kernel has killed since it was booted because memory ran out, in this host or one of its
/// control groups (/proc/vmstat, oom_kill). nullopt where the kernel does not tell.
std::optional<std::int64_t> oom_kills();

}  // namespace mdl::launcher::process
