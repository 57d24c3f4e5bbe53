#pragma once

#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"
#include "launcher/status/job_status.hpp"
#include "launcher/status/text_table.hpp"

namespace mdl::launcher::status {

/// A line for each node of a job: those of the round by rank, those that wait, those that stand by. `job` and `state`
/// are those of `status`.
TextTable node_table(const JobStatus& status, const JobProgress& job, const JobState& state,
                     rendezvous::c10d::RendezvousTime now);

}  // namespace mdl::launcher::status
