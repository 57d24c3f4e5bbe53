#include "launcher/status/status_json.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "launcher/output/printable.hpp"
#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"
#include "launcher/status/progress_json.hpp"

namespace mdl::launcher::status {
namespace {
using nlohmann::json;

constexpr std::size_t kLongestJsonName = 256;

json node_to_json(const rendezvous::c10d::RendezvousState& state, const rendezvous::c10d::NodeDesc& node,
                  rendezvous::c10d::RendezvousTime now) {
  json object;
  object["addr"] = node.addr.empty() ? json() : json(output::printable(node.addr, kLongestJsonName));
  object["pid"] = node.pid > 0 ? json(node.pid) : json();
  object["local_id"] = node.local_id;
  object["heartbeat_age_s"] = or_null(heartbeat_age(state, node, now));
  return object;
}

json rank_to_json(std::int64_t rank, std::int64_t group_rank, const JobProgress::Node& node,
                  const progress::RankSummary& said) {
  const auto aged = [&](const std::optional<double>& age) { return age ? json(*age + node.age) : json(); };
  json object;
  object["rank"] = rank;
  object["node"] = group_rank;
  object["host"] = node.summary->host;
  object["pid"] = said.pid > 0 ? json(said.pid) : json();
  object["old"] = node.old;
  object["age_s"] = aged(said.age);
  object["step"] = or_null(said.step);
  object["total"] = or_null(said.total);
  object["step_age_s"] = aged(said.step_age);
  object["loss"] = value_to_json(said.loss);
  object["samples"] = or_null(said.samples);
  object["samples_per_s"] = or_null(said.samples_per_s);
  object["steps_per_s"] = or_null(said.steps_per_s);
  object["own_s"] = or_null(said.own);
  object["waiting_s"] = or_null(said.waiting);
  object["section"] = said.section.empty() ? json() : json(said.section);
  object["section_seconds"] = or_null(said.section_seconds);
  object["section_age_s"] = aged(said.section_age);
  object["gpu"] = said.gpu.empty() ? json() : json(said.gpu);
  object["dropped"] = said.dropped;
  object["wrong"] = said.wrong;
  object["eval_loss"] = value_to_json(said.eval_loss);
  object["eval_step"] = or_null(said.eval_step);
  object["learning_rate"] = value_to_json(said.learning_rate);
  object["grad_norm"] = value_to_json(said.grad_norm);
  return object;
}

json ranks_to_json(const JobProgress& job, const JobState& state) {
  json ranks = json::array();
  for (const auto& [group_rank, node] : job.nodes) {
    std::int64_t rank = node.summary->first_rank;
    for (const progress::RankSummary& said : node.summary->ranks) {
      json object = rank_to_json(rank, group_rank, node, said);
      object["suspect"] = state.hang && state.hang->names(rank);
      ++rank;
      ranks.push_back(std::move(object));
    }
  }
  return ranks;
}

json nodes_to_json(const JobStatus& status, const JobProgress& job, rendezvous::c10d::RendezvousTime now) {
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  json nodes = json::array();
  for (const auto& [rank, node] : participants_of(state)) {
    json entry = node_to_json(state, node, now);
    entry["rank"] = or_null(known_rank(status, rank, node));
    const auto workers = status.workers.find(rank);
    const bool known = state.complete && workers != status.workers.end();
    entry["workers"] = known ? json(workers->second.local_world_size) : json();
    entry["role"] = known ? json(output::printable(workers->second.role, kLongestJsonName)) : json();
    const auto told = job.nodes.find(rank);
    entry["told_age_s"] = told == job.nodes.end() ? json() : json(told->second.age);
    nodes.push_back(std::move(entry));
  }
  return nodes;
}

}  // namespace

std::string status_to_json(const JobStatus& status, rendezvous::c10d::RendezvousTime now) {
  const rendezvous::c10d::RendezvousState& state = *status.rendezvous.state;
  const JobProgress job = job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(now));
  const JobState how = job_state(status);
  json object = {{"job", output::printable(status.run_id)},
                 {"endpoint", to_string(status.endpoint)},
                 {"state", word_of(how.what)},
                 {"hang", hang_to_json(how, now)},
                 {"round", state.round},
                 {"restarts", state.round},
                 {"complete", state.complete},
                 {"closed", state.closed},
                 {"succeeded", status.succeeded},
                 {"nodes", nodes_to_json(status, job, now)},
                 {"wanted_nodes", or_null(status.wanted_nodes)},
                 {"missing_node_ranks", status.missing_nodes},
                 {"wait_list", json::array()},
                 {"redundancy_list", json::array()},
                 {"last_call_ends_in_s", json()},
                 {"master_addr", json()},
                 {"master_port", json()},
                 {"progress", progress_to_json(job)},
                 {"ranks", ranks_to_json(job, how)},
                 {"events", events_to_json(status.events)},
                 {"root_cause", json()}};
  if (state.deadline) {
    const double left = std::chrono::duration<double>(*state.deadline - now).count();
    object["last_call_ends_in_s"] = std::max(0.0, left);
  }
  if (status.rendezvous.master) {
    object["master_addr"] = output::printable(status.rendezvous.master->host, kLongestJsonName);
    object["master_port"] = status.rendezvous.master->port;
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

std::string gone_to_json(const std::string& run_id, const Endpoint& endpoint, const std::string& reason) {
  const json object = {{"job", output::printable(run_id)},
                       {"endpoint", to_string(endpoint)},
                       {"state", "gone"},
                       {"reason", output::printable(reason)}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mdl::launcher::status
