#include "launcher/job_status.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "launcher/job/failure_board.hpp"
#include "launcher/output/printable.hpp"
#include "rendezvous/c10d/shared_state.hpp"
#include "rendezvous/client/tcp_store_client.hpp"

namespace mdl::launcher {
namespace {
using nlohmann::json;

constexpr std::size_t kLongestName = 256;

std::string fixed(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", number);
  return text;
}

double seconds_between(rendezvous::c10d::RendezvousTime from, rendezvous::c10d::RendezvousTime to) {
  return std::chrono::duration<double>(to - from).count();
}

/// Seconds since the node's last heartbeat; nullopt when it has not sent one.
std::optional<double> heartbeat_age(const rendezvous::c10d::RendezvousState& state,
                                    const rendezvous::c10d::NodeDesc& node, rendezvous::c10d::RendezvousTime now) {
  const auto last = state.last_heartbeats.find(node);
  if (last == state.last_heartbeats.end()) { return std::nullopt; }
  return std::max(0.0, seconds_between(last->second, now));
}

/// Of a complete round by rank, and else, as ranks are not given yet, by name.
std::vector<std::pair<std::int64_t, rendezvous::c10d::NodeDesc>> participants_of(
    const rendezvous::c10d::RendezvousState& state) {
  std::vector<std::pair<std::int64_t, rendezvous::c10d::NodeDesc>> nodes;
  for (const auto& [node, rank] : state.participants) { nodes.emplace_back(state.complete ? rank : 0, node); }
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return nodes;
}

std::string name_of(const rendezvous::c10d::NodeDesc& node) {
  return output::printable(node.addr, kLongestName);
}

std::string phase_of(const rendezvous::c10d::RendezvousState& state, rendezvous::c10d::RendezvousTime now) {
  std::string text;
  if (state.complete) {
    text = "complete";
  } else if (state.deadline) {
    text = str_cat("has enough nodes; the last call for more ends in ",
                   fixed(std::max(0.0, seconds_between(now, *state.deadline))), " s");
  } else {
    text = "waits for more nodes";
  }
  return state.closed ? text + "; closed: the job has ended" : text;
}

/// "3 workers: ranks 4 to 6", from what all nodes before this one have told.
std::string describe_workers(const JobStatus& status, std::int64_t rank) {
  const auto own = status.workers.find(rank);
  if (own == status.workers.end()) { return "?"; }
  std::int64_t first = 0;
  for (const auto& [other, info] : status.workers) {
    if (other < rank) { first += info.local_world_size; }
  }
  const std::int64_t count = own->second.local_world_size;
  return count == 1 ? std::to_string(first) : str_cat(first, "-", first + count - 1);
}

std::string row(const std::string& rank, const std::string& workers, const std::string& node, std::int64_t pid,
                std::optional<double> age) {
  char text[160];
  std::snprintf(text, sizeof text, "  %5s  %-12s  %-40.80s  %8lld  ", rank.c_str(), workers.c_str(), node.c_str(),
                static_cast<long long>(pid));
  return str_cat(text, age ? fixed(*age) + " s ago" : "none", "\n");
}

json node_to_json(const rendezvous::c10d::RendezvousState& state, const rendezvous::c10d::NodeDesc& node,
                  rendezvous::c10d::RendezvousTime now) {
  json object = {{"addr", name_of(node)}, {"pid", node.pid}, {"local_id", node.local_id}};
  const auto age = heartbeat_age(state, node, now);
  object["heartbeat_age_s"] = age ? json(*age) : json();
  return object;
}

asio::awaitable<void> read_workers(JobStatus& status, rendezvous::client::TcpStoreClient& store) {
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  if (!state.complete) { co_return; }
  const std::string prefix = rendezvous::c10d::round_prefix(status.run_id, state.round) + "torchelastic/role_info/";
  for (std::int64_t rank = 0; rank < static_cast<std::int64_t>(state.participants.size()); ++rank) {
    const std::optional<std::string> text = co_await store.get_now(prefix + std::to_string(rank));
    if (!text) { continue; }
    try {
      status.workers[rank] = rendezvous::c10d::role_info_from_json(*text);
    } catch (const Error&) {
      // Not worth an error: the rest of the report is sound.
    }
  }
}

}  // namespace

asio::awaitable<JobStatus> read_job_status(Endpoint endpoint, rendezvous::access::StoreCredential credential,
                                           std::string run_id, std::chrono::milliseconds timeout) {
  JobStatus status;
  status.run_id = run_id;
  status.endpoint = endpoint;
  status.rendezvous = co_await rendezvous::c10d::read_rendezvous(endpoint, credential, run_id, timeout);
  if (status.rendezvous.state) {
    rendezvous::client::TcpStoreClient store =
        co_await rendezvous::client::TcpStoreClient::connect(endpoint, credential, timeout);
    co_await read_workers(status, store);
    const job::FailureBoard board(run_id);
    status.root_cause = co_await board.read(store);
  }
  co_return status;
}

std::string format_status(const JobStatus& status, rendezvous::c10d::RendezvousTime now) {
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  std::string out = str_cat("Job \"", output::printable(status.run_id), "\" at ", to_string(status.endpoint),
                            ": round ", state.round, " ", phase_of(state, now), "\n");
  if (status.rendezvous.master) {
    out += str_cat("Workers meet at ", output::printable(to_string(*status.rendezvous.master)), "\n");
  }
  out += "   node  workers       address                                        pid  last heartbeat\n";
  for (const auto& [rank, node] : participants_of(state)) {
    out += row(state.complete ? std::to_string(rank) : "-", state.complete ? describe_workers(status, rank) : "-",
               name_of(node), node.pid, heartbeat_age(state, node, now));
  }
  for (const rendezvous::c10d::NodeDesc& node : state.wait_list) {
    out += row("waits", "-", name_of(node), node.pid, heartbeat_age(state, node, now));
  }
  for (const rendezvous::c10d::NodeDesc& node : state.redundancy_list) {
    out += row("spare", "-", name_of(node), node.pid, heartbeat_age(state, node, now));
  }
  if (status.root_cause) { out += report::format_root_cause(*status.root_cause); }
  return out;
}

std::string status_to_json(const JobStatus& status, rendezvous::c10d::RendezvousTime now) {
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  json object = {{"job", output::printable(status.run_id)},
                 {"endpoint", to_string(status.endpoint)},
                 {"round", state.round},
                 {"complete", state.complete},
                 {"closed", state.closed},
                 {"nodes", json::array()},
                 {"wait_list", json::array()},
                 {"redundancy_list", json::array()},
                 {"last_call_ends_in_s", json()},
                 {"master_addr", json()},
                 {"master_port", json()},
                 {"root_cause", json()}};
  if (state.deadline) { object["last_call_ends_in_s"] = std::max(0.0, seconds_between(now, *state.deadline)); }
  if (status.rendezvous.master) {
    object["master_addr"] = output::printable(status.rendezvous.master->host, kLongestName);
    object["master_port"] = status.rendezvous.master->port;
  }
  for (const auto& [rank, node] : participants_of(state)) {
    json entry = node_to_json(state, node, now);
    entry["rank"] = state.complete ? json(rank) : json();
    const auto workers = status.workers.find(rank);
    const bool known = state.complete && workers != status.workers.end();
    entry["workers"] = known ? json(workers->second.local_world_size) : json();
    entry["role"] = known ? json(output::printable(workers->second.role, kLongestName)) : json();
    object["nodes"].push_back(std::move(entry));
  }
  for (const rendezvous::c10d::NodeDesc& node : state.wait_list) {
    object["wait_list"].push_back(node_to_json(state, node, now));
  }
  for (const rendezvous::c10d::NodeDesc& node : state.redundancy_list) {
    object["redundancy_list"].push_back(node_to_json(state, node, now));
  }
  if (status.root_cause) { object["root_cause"] = json::parse(report::to_json(*status.root_cause)); }
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mdl::launcher
