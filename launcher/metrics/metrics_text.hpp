#pragma once

#include <string>

#include "launcher/status/job_status.hpp"

namespace mdl::launcher::metrics {

/// Of a job with more ranks, those with the lowest node ranks.
inline constexpr std::size_t kMostRanksShown = 16'384;

/// What a job's store says of it at `now`, as Prometheus reads it (docs/watching.md has the list): job, nodes, ranks.
/// Of what is not known there is no sample. Pure; its time and size grow with the ranks alone, of which kMostRanksShown
/// are shown.
std::string metrics_text(const status::JobStatus& status, rendezvous::c10d::RendezvousTime now);

}  // namespace mdl::launcher::metrics
