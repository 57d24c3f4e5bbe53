#pragma once

#include <c10/core/Device.h>

#include <cstdint>

#include "worker/distributed/process_group.hpp"
#include "worker/reports/reports.hpp"

namespace mdl::worker::training::loop {

/// Reports the fullest that each rank's GPU was, as peak_vram_gib_rank_R and reserved_vram_gib_rank_R; nothing of the
/// CPU. Every rank calls it, once; `reports`: rank 0's, else null.
void report_memory(at::Device device, distributed::ProcessGroup& group, reports::Reports* reports, int64_t step);

}  // namespace mdl::worker::training::loop
