#pragma once

#include <string>
#include <vector>

#include "launcher/status/job_sign.hpp"

namespace mdl::launcher::status {

/// The jobs that this user's agents on this machine take part in (JobSign), by name, each once (without_repetition).
/// Asks each agent for a second at most; who does not answer is left out.
std::vector<SignedJob> find_jobs();

/// Of several agents of one job here, which may call the machine by different names, one. Asks the resolver about such
/// names. Sorts by name.
std::vector<SignedJob> without_repetition(std::vector<SignedJob> jobs);

/// The names of abstract sockets that begin with `prefix`, in what /proc/net/unix says. Pure.
std::vector<std::string> abstract_names(const std::string& proc_net_unix, const std::string& prefix);

}  // namespace mdl::launcher::status
