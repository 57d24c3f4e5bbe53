#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/endpoint.hpp"
#include "common/loop/asio.hpp"
#include "launcher/progress/job_event.hpp"
#include "launcher/progress/node_clocks.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/report/root_cause.hpp"
#include "rendezvous/c10d/rank_assignment.hpp"
#include "rendezvous/c10d/rendezvous_report.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher::status {

/// What the store of a job says about it to somebody who takes no part in it; torchrun's jobs included. Of a job that
/// is not there `rendezvous.state` is none, and `rendezvous.other_jobs` says which are.
struct JobStatus {
  std::string run_id;  ///< --rdzv-id
  Endpoint endpoint;
  rendezvous::c10d::RendezvousReport rendezvous{};
  bool static_ranks = false;  ///< a static job, or one of one node: no node has a heartbeat, nor a known address
  std::optional<std::int64_t> wanted_nodes{};  ///< of a static job of ours
  std::vector<std::int64_t> missing_nodes{};   ///< of a static job that waits: the node ranks that have not come
  std::map<std::int64_t, rendezvous::c10d::RoleInfo> workers{};  ///< by rank of the node, as far as the nodes have told
  // Of agents of ours only:
  std::map<std::int64_t, progress::NodeSummary> progress{};  ///< in this round, by rank of the node; rates as of now
  std::vector<progress::JobEvent> events{};                  ///< the last ones, the oldest first
  std::map<std::string, std::int64_t> event_counts{};        ///< of all, by kind
  std::optional<report::RootCause> root_cause{};             ///< only when the job has failed
  bool succeeded = false;                                    ///< all nodes have ended well
  std::string script{};  ///< the name of what the workers run, where the launcher that shows it knows it
  /// How the launcher that shows it has ended, where that is so and the job's end is not known: a signal, or "".
  std::optional<std::string> launcher_end{};
};

/// Asks the store, which is at `endpoint`, and changes nothing there. `clocks`, of who looks again and again, must
/// outlive the call. Throws StoreConnectionError when it is lost.
asio::awaitable<JobStatus> read_job_status(rendezvous::client::TcpStoreClient& store, Endpoint endpoint,
                                           std::string run_id, progress::NodeClocks* clocks = nullptr);

/// A row for each node that is part of the round: of a complete one by rank, and else, as ranks are not given yet, by
/// name.
std::vector<std::pair<std::int64_t, rendezvous::c10d::NodeDesc>> participants_of(
    const rendezvous::c10d::RendezvousState& state);
/// The rank of a participant, as participants_of() has it, as far as it is known.
std::optional<std::int64_t> known_rank(const JobStatus& status, std::int64_t rank,
                                       const rendezvous::c10d::NodeDesc& node);
/// Seconds since the node's last heartbeat; nullopt when it has not sent one.
std::optional<double> heartbeat_age(const rendezvous::c10d::RendezvousState& state,
                                    const rendezvous::c10d::NodeDesc& node, rendezvous::c10d::RendezvousTime now);

}  // namespace mdl::launcher::status
