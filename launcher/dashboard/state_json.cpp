#include "launcher/dashboard/state_json.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "common/version.hpp"
#include "launcher/dashboard/json_row.hpp"
#include "launcher/dashboard/rank_places.hpp"
#include "launcher/output/printable.hpp"
#include "launcher/progress/slow_rank.hpp"
#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_state.hpp"
#include "launcher/status/progress_json.hpp"

namespace mdl::launcher::dashboard {
namespace {

using nlohmann::json;
using rendezvous::c10d::NodeDesc;
using rendezvous::c10d::RendezvousState;
using rendezvous::c10d::RendezvousTime;
using status::JobProgress;
using status::JobStatus;

constexpr std::size_t kLongestShownName = 256;
constexpr std::size_t kMostShownNames = 20;

constexpr const char* kColumns[] = {
    "rank",        "node",  "pid",       "step",          "total",     "loss",    "samples",         "samples_per_s",
    "steps_per_s", "own",   "waiting",   "age",           "step_age",  "section", "section_seconds", "section_age",
    "dropped",     "wrong", "eval_loss", "learning_rate", "grad_norm", "slow"};

/// The fields of kColumns.
std::string rank_row(std::int64_t rank, std::int64_t node, const progress::RankSummary& said, double node_age,
                     bool slow) {
  const auto aged = [&](const std::optional<double>& age) { return age ? std::optional(*age + node_age) : age; };
  JsonRow row;
  row.count(rank);
  row.count(node);
  row.number(said.pid);
  row.count(said.step);
  row.count(said.total);
  row.value(said.loss);
  row.count(said.samples);
  row.value(said.samples_per_s);
  row.value(said.steps_per_s);
  row.value(said.own);
  row.value(said.waiting);
  row.seconds(aged(said.age));
  row.seconds(aged(said.step_age));
  row.text(said.section);
  row.seconds(said.section_seconds);
  row.seconds(aged(said.section_age));
  row.number(said.dropped);
  row.number(said.wrong);
  row.value(said.eval_loss);
  row.value(said.learning_rate);
  row.value(said.grad_norm);
  row.number(slow ? 1 : 0);
  return row.take();
}

/// All ranks, those of nodes that have told nothing as well.
std::string rank_rows(const std::vector<RankPlace>& places, const JobProgress& job) {
  static const progress::RankSummary nothing;
  std::string rows;
  std::size_t shown = 0;
  for (const RankPlace& place : places) {
    for (std::int64_t i = 0; i < place.count && shown < kMostShownRanks; ++i, ++shown) {
      const auto& said = place.told ? place.told->summary->ranks[static_cast<std::size_t>(i)] : nothing;
      if (shown > 0) { rows += ','; }
      const std::int64_t rank = place.first_rank + i;
      rows += rank_row(rank, place.node, said, place.told ? place.told->age : 0, job.slow.contains(rank));
    }
  }
  return "[" + rows + "]";
}

std::int64_t count_of(const std::vector<RankPlace>& places) {
  std::int64_t count = 0;
  for (const RankPlace& place : places) { count += place.count; }
  return count;
}

json shown_nodes(const JobStatus& status, const JobProgress& job, RendezvousTime now) {
  const RendezvousState& state = *status.rendezvous.state;
  const auto tenths = [](const std::optional<double>& age) {
    return age ? json(static_cast<double>(static_cast<std::int64_t>(std::min(*age, 1e9) * 10)) / 10) : json();
  };
  json nodes = json::array();
  for (const auto& [rank, node] : status::participants_of(state)) {
    if (nodes.size() >= kMostShownRanks) { break; }
    const auto told = job.nodes.find(rank);
    const bool known = told != job.nodes.end();
    json entry;
    entry["rank"] = status::or_null(status::known_rank(status, rank, node));
    entry["host"] = output::printable(known ? told->second.summary->host : node.addr, kLongestShownName);
    entry["heartbeat_age_s"] = tenths(status::heartbeat_age(state, node, now));
    entry["told_age_s"] = known ? tenths(told->second.age) : json();
    entry["old"] = known && told->second.old;
    nodes.push_back(std::move(entry));
  }
  return nodes;
}

template <typename Nodes>
json shown_names(const Nodes& nodes) {
  json names = json::array();
  for (const NodeDesc& node : nodes) {
    if (names.size() >= kMostShownNames) { break; }
    names.push_back(output::printable(node.addr, kLongestShownName));
  }
  return names;
}

json shown_missing(const std::vector<std::int64_t>& ranks) {
  const std::size_t count = std::min(ranks.size(), kMostShownNames);
  return std::vector<std::int64_t>(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(count));
}

json shown_cause(const std::optional<report::RootCause>& cause) {
  if (!cause) { return {}; }
  const bool of_nobody = cause->hang == report::RootCause::Hang::of_nobody;
  return {{"rank", of_nobody ? json() : json(cause->rank)},
          {"host", cause->host},
          {"end", cause->end},
          {"hint", cause->hint},
          {"message", cause->message}};
}

}  // namespace

std::string state_json(const JobStatus& status, const std::string& where, RendezvousTime now) {
  const RendezvousState& state = *status.rendezvous.state;
  const JobProgress job = status::job_progress(status.progress, std::chrono::floor<std::chrono::milliseconds>(now));
  const std::vector<RankPlace> places = rank_places(status, job);
  const status::JobState how = status::job_state(status);
  json object = {{"mdl", version()},
                 {"time", std::chrono::duration<double>(now.time_since_epoch()).count()},
                 {"job", output::printable(status.run_id, kLongestShownName)},
                 {"script", status.script.empty() ? json() : json(output::printable(status.script, kLongestShownName))},
                 {"where", output::printable(where, kLongestShownName)},
                 {"state", status::word_of(how.what)},
                 {"hang", status::hang_to_json(how, now)},
                 {"round", state.round},
                 {"restarts", state.round},
                 {"complete", state.complete},
                 {"closed", state.closed},
                 {"succeeded", status.succeeded},
                 {"ended_by", status.launcher_end.value_or("").empty() ? json() : json(*status.launcher_end)},
                 {"root_cause", shown_cause(status.root_cause)},
                 {"missing_node_ranks", shown_missing(status.missing_nodes)},
                 {"waiting", shown_names(state.wait_list)},
                 {"spare", shown_names(state.redundancy_list)},
                 {"last_call_ends_in_s", json()},
                 {"progress", status::progress_to_json(job)},
                 {"slow_times", progress::kSlowTimes},
                 {"nodes", shown_nodes(status, job, now)},
                 {"events", status::events_to_json(status.events)},
                 {"ranks_in_all", count_of(places)},
                 {"columns", kColumns}};
  if (state.deadline) {
    object["last_call_ends_in_s"] = std::max(0.0, std::chrono::duration<double>(*state.deadline - now).count());
  }
  std::string text = object.dump(-1, ' ', false, json::error_handler_t::replace);
  text.pop_back();
  return text + ",\"ranks\":" + rank_rows(places, job) + "}";
}

}  // namespace mdl::launcher::dashboard
