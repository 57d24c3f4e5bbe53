#include "launcher/status/job_status.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/progress/progress_board.hpp"
#include "launcher/status/static_rendezvous.hpp"
#include "rendezvous/c10d/shared_state.hpp"

namespace mdl::launcher::status {
namespace {

using rendezvous::client::TcpStoreClient;

constexpr TcpStoreClient::Milliseconds kValuesTimeout{1000};  // of keys that were there a moment ago

asio::awaitable<void> read_workers(JobStatus& status, TcpStoreClient& store) {
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  if (!state.complete) { co_return; }
  const std::string prefix = rendezvous::c10d::round_prefix(status.run_id, state.round) + "torchelastic/role_info/";
  std::vector<std::int64_t> ranks;
  std::vector<std::string> keys;
  for (std::int64_t rank = 0; rank < static_cast<std::int64_t>(state.participants.size()); ++rank) {
    std::string key = prefix + std::to_string(rank);
    const auto& there = status.rendezvous.keys;
    if (!std::binary_search(there.begin(), there.end(), key)) { continue; }
    ranks.push_back(rank);
    keys.push_back(std::move(key));
  }
  if (keys.empty()) { co_return; }
  const auto texts = co_await store.multi_get(std::move(keys), kValuesTimeout);
  for (std::size_t i = 0; texts && i < ranks.size(); ++i) {
    try {
      status.workers[ranks[i]] = rendezvous::c10d::role_info_from_json((*texts)[i]);
    } catch (const Error&) {
      // Not worth an error: the rest of the report is sound.
    }
  }
}

asio::awaitable<void> read_progress(JobStatus& status, TcpStoreClient& store, progress::NodeClocks* clocks) {
  const progress::ProgressBoard board(status.run_id);
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  const auto nodes = static_cast<std::int64_t>(state.participants.size());
  progress::ProgressBoard::View view = co_await board.read(store, status.rendezvous.keys, nodes);
  status.events = std::move(view.events);
  status.event_counts = std::move(view.event_counts);
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  if (clocks) { clocks->correct(view.nodes, now); }
  for (auto& [rank, summary] : view.nodes) {
    progress::end_rates(summary, now);
    // Another round's is of other workers.
    if (state.complete && summary.round == state.round && rank < nodes) { status.progress[rank] = std::move(summary); }
  }
}

/// Where there is no rendezvous with this name, the nodes may know their ranks from their command lines.
asio::awaitable<void> look_for_static_job(JobStatus& status, TcpStoreClient& store) {
  for (std::string& id : static_ids(status.rendezvous.keys)) {
    if (id != status.run_id) { status.rendezvous.other_jobs.push_back(std::move(id)); }
  }
  if (status.rendezvous.state || status.run_id.empty()) { co_return; }
  std::optional<StaticRendezvous> found = co_await read_static_rendezvous(store, status.run_id, status.rendezvous.keys);
  if (!found) { co_return; }
  status.static_ranks = true;
  status.rendezvous.state = std::move(found->state);
  status.wanted_nodes = found->nodes;
  status.missing_nodes = std::move(found->missing);
  for (rendezvous::c10d::RoleInfo& info : found->workers) { status.workers[info.rank] = std::move(info); }
}

/// As far as the nodes of a static job have told their hosts.
void name_static_nodes(JobStatus& status) {
  std::map<rendezvous::c10d::NodeDesc, std::int64_t> named;
  for (const auto& [node, rank] : status.rendezvous.state->participants) {
    rendezvous::c10d::NodeDesc known = node;
    const auto told = status.progress.find(rank);
    if (told != status.progress.end()) { known.addr = told->second.host; }
    named.emplace(std::move(known), rank);
  }
  status.rendezvous.state->participants = std::move(named);
}

}  // namespace

asio::awaitable<JobStatus> read_job_status(TcpStoreClient& store, Endpoint endpoint, std::string run_id,
                                           progress::NodeClocks* clocks) {
  JobStatus status;
  status.run_id = run_id;
  status.endpoint = std::move(endpoint);
  status.rendezvous = co_await rendezvous::c10d::read_rendezvous(store, run_id);
  co_await look_for_static_job(status, store);
  if (status.rendezvous.state) {
    if (!status.static_ranks) { co_await read_workers(status, store); }
    co_await read_progress(status, store, clocks);
    if (status.static_ranks) { name_static_nodes(status); }
    const job::FailureBoard board(run_id);
    status.root_cause = co_await board.read(store);
    const std::optional<std::string> end = co_await store.get_now(board.end_key());
    status.succeeded = end == job::FailureBoard::kSucceeded;
  }
  co_return status;
}

std::optional<double> heartbeat_age(const rendezvous::c10d::RendezvousState& state,
                                    const rendezvous::c10d::NodeDesc& node, rendezvous::c10d::RendezvousTime now) {
  const auto last = state.last_heartbeats.find(node);
  if (last == state.last_heartbeats.end()) { return std::nullopt; }
  return std::max(0.0, std::chrono::duration<double>(now - last->second).count());
}

std::optional<std::int64_t> known_rank(const JobStatus& status, std::int64_t rank,
                                       const rendezvous::c10d::NodeDesc& node) {
  if (status.rendezvous.state->complete) { return rank; }
  return status.static_ranks ? std::optional<std::int64_t>(node.local_id) : std::nullopt;
}

std::vector<std::pair<std::int64_t, rendezvous::c10d::NodeDesc>> participants_of(
    const rendezvous::c10d::RendezvousState& state) {
  std::vector<std::pair<std::int64_t, rendezvous::c10d::NodeDesc>> nodes;
  for (const auto& [node, rank] : state.participants) { nodes.emplace_back(state.complete ? rank : 0, node); }
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return nodes;
}

}  // namespace mdl::launcher::status
