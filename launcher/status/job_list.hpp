#pragma once

#include <string>
#include <vector>

#include "launcher/status/job_sign.hpp"

namespace mdl::launcher::status {

/// For people: a line for each job, as one names it to `status`. `jobs` are not empty.
std::string format_jobs(const std::vector<SignedJob>& jobs);

/// The same as one JSON object on one line.
std::string jobs_to_json(const std::vector<SignedJob>& jobs);

}  // namespace mdl::launcher::status
