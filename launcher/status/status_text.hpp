#pragma once

#include <string>

#include "launcher/status/job_status.hpp"

namespace mdl::launcher::status {

/// For people: the state of the round, how the job gets on, a line for each node with its rank, its workers' ranks, the
/// age of its last heartbeat at `now` (by the clocks of that node and this one) and what its workers have said, the
/// last events, and why the job has failed. `status.rendezvous.state` must be there.
/// The lines of nodes have at most `width` columns, with what matters most; other lines are as long as they are.
std::string format_status(const JobStatus& status, rendezvous::c10d::RendezvousTime now,
                          std::size_t width = std::string::npos);

}  // namespace mdl::launcher::status
