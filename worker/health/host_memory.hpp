#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "worker/health/health_report.hpp"

namespace mdl::worker::health {

/// Bytes of memory.
struct HostMemory {
  std::int64_t free = 0;  ///< that programs could have
  std::int64_t total = 0;
};

/// MemAvailable and MemTotal of /proc/meminfo's text; nullopt where they are not in it (pure).
std::optional<HostMemory> parse_meminfo(const std::string& text);

/// The same within a control group that may have `limit` bytes and has `used` (the texts of memory.max, "max" for no
/// limit, and memory.current), as of a container (pure).
HostMemory within_limit(const HostMemory& host, const std::string& limit, const std::string& used);

/// "free_bytes" and "total_bytes" of this machine, or of the container that this is. Throws Error where they are not
/// known.
HealthPart::Numbers measure_host_memory(const std::filesystem::path& proc = "/proc",
                                        const std::filesystem::path& group = "/sys/fs/cgroup");

/// The CPU's name in /proc/cpuinfo; empty where there is none.
std::string cpu_name(const std::filesystem::path& proc = "/proc");

}  // namespace mdl::worker::health
