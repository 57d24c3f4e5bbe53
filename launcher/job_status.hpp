#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "launcher/report/root_cause.hpp"
#include "rendezvous/c10d/rank_assignment.hpp"
#include "rendezvous/c10d/rendezvous_report.hpp"

namespace mdl::launcher {

/// What the store of a job says about it to somebody who takes no part in it; torchrun's jobs included.
struct JobStatus {
  std::string run_id;  ///< --rdzv-id
  Endpoint endpoint;
  rendezvous::c10d::RendezvousReport rendezvous{};
  std::map<std::int64_t, rendezvous::c10d::RoleInfo> workers{};  ///< by rank of the node, as far as the nodes have told
  std::optional<report::RootCause> root_cause{};  ///< only of jobs with agents of ours, and only when they have failed
};

/// Asks the store at `endpoint` and changes nothing there. Throws StoreConnectionError when nobody answers within
/// `timeout`, and StoreAccessError when the store wants a secret, or another one.
asio::awaitable<JobStatus> read_job_status(Endpoint endpoint, rendezvous::access::StoreCredential credential,
                                           std::string run_id, std::chrono::milliseconds timeout);

/// A table for people: the state of the round, a line for each node with its rank, its workers' ranks and the age of
/// its last heartbeat at `now` (by the clocks of that node and this one), and why the job has failed.
/// `status.rendezvous.state` must be there.
std::string format_status(const JobStatus& status, rendezvous::c10d::RendezvousTime now);

/// The same as one JSON object on one line.
std::string status_to_json(const JobStatus& status, rendezvous::c10d::RendezvousTime now);

}  // namespace mdl::launcher
