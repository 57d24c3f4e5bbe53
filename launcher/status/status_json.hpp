#pragma once

#include <string>

#include "launcher/status/job_status.hpp"

namespace mdl::launcher::status {

/// What format_status() says, and each rank with all that it has said, as one JSON object on one line.
std::string status_to_json(const JobStatus& status, rendezvous::c10d::RendezvousTime now);

}  // namespace mdl::launcher::status
