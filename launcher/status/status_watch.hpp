#pragma once

#include <chrono>
#include <string>

#include "common/endpoint.hpp"
#include "launcher/status/job_status.hpp"

namespace mdl::launcher::status {

/// Where the job is that one wants to know of.
struct WatchedJob {
  Endpoint endpoint{};
  rendezvous::access::StoreCredential credential{};
  std::string run_id{};                     ///< empty: the only one that is there
  std::chrono::milliseconds timeout{5000};  ///< to reach the store
};

/// Asks once. Throws Error when there is no such job, StoreConnectionError and StoreAccessError.
JobStatus read_status_once(const WatchedJob& job);

/// Asks each second and draws the answer (StatusScreen), as text or as JSON, until the job ends, which it says, or
/// SIGINT or SIGTERM comes. Returns the exit code: 0, or 1 when stdout cannot be written any longer. Throws as
/// read_status_once() does as long as there was no answer.
int watch_status(const WatchedJob& job, bool as_json);

}  // namespace mdl::launcher::status
