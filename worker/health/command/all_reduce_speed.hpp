#pragma once

#include <chrono>

#include "worker/distributed/process_group.hpp"
#include "worker/health/health_report.hpp"

namespace mdl::worker::health::command {

/// All ranks of the group add up tensors of `device` for about `budget`, in NCCL's or Gloo's way: "bytes_per_s" of bus
/// bandwidth (bus_bandwidth()), "latency_ns" of a few bytes, "bytes", "ranks", "repeats". How much and how often, the
/// ranks agree on: as much as takes a tenth of the budget, 64 MiB at most of a GPU and 16 MiB of a CPU. Every rank
/// calls it. Throws distributed::PeersLost where another one does not do its part.
HealthPart::Numbers measure_all_reduce(distributed::ProcessGroup& group, at::Device device,
                                       std::chrono::nanoseconds budget);

}  // namespace mdl::worker::health::command
