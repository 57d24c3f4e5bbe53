#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>

#include "worker/health/health_report.hpp"

namespace mdl::worker::health {

/// What is written to know how fast a disk is.
struct DiskPlan {
  std::int64_t bytes = std::int64_t{64} << 20;
  std::chrono::milliseconds limit{2000};  ///< after that long no further round begins
};

/// The nearest folder of `path` that exists: programs make the rest. Throws Error, in train's words of --output, where
/// what exists is a file, and where it cannot be looked at.
std::filesystem::path nearest_folder(const std::filesystem::path& path);

/// Writes a file into the folder that no name leads to, and so no end of this process leaves behind, in rounds of 16
/// MiB that are synced each: "write_bytes_per_s" (fsync included; the median, without the first round where there are
/// more), "bytes" in all, "repeats", "free_bytes". The bytes do not compress. Throws Error where the folder cannot be
/// written to, or has no room for twice as much.
HealthPart::Numbers measure_disk(const std::filesystem::path& folder, const DiskPlan& plan = {});

}  // namespace mdl::worker::health
