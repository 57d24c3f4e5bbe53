#pragma once

#include <string>

#include "common/endpoint.hpp"
#include "launcher/status/job_status.hpp"

namespace mdl::launcher::status {

/// What format_status() says, and each rank with all that it has said, as one JSON object on one line.
std::string status_to_json(const JobStatus& status, rendezvous::c10d::RendezvousTime now);

/// {"job": …, "endpoint": …, "state": "gone", "reason": …}, on one line: the store went without a word.
std::string gone_to_json(const std::string& run_id, const Endpoint& endpoint, const std::string& reason);

}  // namespace mdl::launcher::status
