#pragma once

#include <cstddef>
#include <string>

#include "launcher/status/job_status.hpp"

namespace mdl::launcher::dashboard {

/// Of a job with more ranks, those of the nodes with the lowest ranks are shown.
inline constexpr std::size_t kMostShownRanks = 16'384;

/// What the page draws of a job, as one line of JSON (see page/job.js): the job, its nodes, how it gets on, its last
/// events, and each rank as an array whose columns are named once: about 90 bytes for one that trains. Everything that
/// comes from the store is printable. `where` is where people find the job. Pure.
std::string state_json(const status::JobStatus& status, const std::string& where, rendezvous::c10d::RendezvousTime now);

}  // namespace mdl::launcher::dashboard
