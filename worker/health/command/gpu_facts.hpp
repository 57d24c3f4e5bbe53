#pragma once

#include "common/nvidia/gpu_health.hpp"
#include "worker/health/health_report.hpp"

namespace mdl::worker::health::command {

/// "free_bytes" and "total_bytes" of a GPU. Throws Error where its driver does not tell.
HealthPart::Numbers gpu_memory(const nvidia::GpuHealth& gpu);

/// What is counted of the errors of a GPU: "ecc_corrected" and "ecc_uncorrected" since the driver was loaded,
/// "pending_rows" (1: memory waits to be replaced), "xid_errors" and "last_xid" of the kernel's log, or, where that may
/// not be read, since `gpu` was made. What is not counted is not there; where nothing is, throws Error.
HealthPart::Numbers gpu_errors(nvidia::GpuHealth& gpu);

}  // namespace mdl::worker::health::command
