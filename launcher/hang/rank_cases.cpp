#include "launcher/hang/rank_cases.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "common/join.hpp"
#include "common/str_cat.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::hang {
namespace {

constexpr std::size_t kLongestStoreKey = 120;

std::vector<const watch::NodeView*> own_first(const watch::JobView& view) {
  std::vector<const watch::NodeView*> nodes;
  for (const watch::NodeView& node : view.told) { nodes.push_back(&node); }
  std::stable_partition(nodes.begin(), nodes.end(),
                        [&](const watch::NodeView* node) { return node->group_rank == view.watcher; });
  return nodes;
}

/// Null where the rank is another node's.
RankCase* place_in(std::map<std::int64_t, RankCase>& cases, std::int64_t rank, std::int64_t node) {
  const auto [place, is_new] = cases.try_emplace(rank);
  if (!is_new && place->second.node != node) { return nullptr; }
  place->second.rank = rank;
  place->second.node = node;
  return &place->second;
}

/// Of an agent of ours or torchrun's: they may have their keys in the workers' store.
bool is_key_of_agents(const std::string& key) {
  return key.starts_with("mdl-launch/") || key.starts_with("torch.rendezvous.") ||
         key.find("/torchelastic/") != std::string::npos;
}

bool is_of_agents(const rendezvous::server::StoreWait& wait) {
  return !wait.keys.empty() && std::all_of(wait.keys.begin(), wait.keys.end(), is_key_of_agents);
}

}  // namespace

std::vector<RankCase> rank_cases(const watch::JobView& view, const std::map<std::int64_t, NodeEvidence>& answers) {
  std::map<std::int64_t, RankCase> cases;
  for (const watch::NodeView* node : own_first(view)) {
    for (std::size_t i = 0; i < node->ranks.size(); ++i) {
      RankCase* each = place_in(cases, node->first_rank + static_cast<std::int64_t>(i), node->group_rank);
      if (!each) { continue; }
      each->local_rank = static_cast<std::int64_t>(i);
      each->host = node->host;
      each->said = node->ranks[i];
    }
  }
  for (const auto& [node, evidence] : answers) {
    for (std::size_t i = 0; i < evidence.ranks.size(); ++i) {
      RankCase* each = place_in(cases, evidence.first_rank + static_cast<std::int64_t>(i), node);
      if (!each) { continue; }
      each->local_rank = static_cast<std::int64_t>(i);
      each->host = evidence.host;
      each->evidence = evidence.ranks[i];
      each->seconds = evidence.seconds;
    }
  }
  std::vector<RankCase> ranks;
  for (auto& [rank, each] : cases) {
    if (each.said.age || each.evidence) { ranks.push_back(std::move(each)); }
  }
  return ranks;
}

void join_store_waits(std::vector<RankCase>& ranks, const std::vector<rendezvous::server::StoreWait>& waits) {
  std::map<std::string, const rendezvous::server::StoreWait*> by_peer;
  for (const auto& wait : waits) {
    if (!is_of_agents(wait)) { by_peer[wait.peer] = &wait; }
  }
  std::set<std::string> of_ranks;
  for (RankCase& each : ranks) {
    if (!each.evidence) { continue; }
    for (const std::string& socket : each.evidence->store_sockets) {
      const auto wait = by_peer.find(socket);
      if (wait == by_peer.end()) { continue; }
      of_ranks.insert(socket);
      if (wait->second->keys.empty()) { continue; }
      // Of several connections of a rank the one that waits for longest.
      if (!each.store_key.empty() && each.store_wait >= wait->second->seconds) { continue; }
      each.store_key = output::printable(wait->second->keys.front(), kLongestStoreKey);
      each.store_wait = wait->second->seconds;
    }
  }
  // Whose the other ones are is not known: of ranks with a connection that the store sees from another address, maybe.
  const bool all_of_ranks = of_ranks.size() == by_peer.size();
  for (RankCase& each : ranks) {
    each.waits_for_no_key = each.evidence && each.evidence->end.empty() && each.evidence->store_seen &&
                            each.store_key.empty() && (all_of_ranks || each.evidence->store_sockets.empty());
  }
}

std::optional<std::int64_t> highest_step(const std::vector<RankCase>& ranks) {
  std::optional<std::int64_t> highest;
  for (const RankCase& each : ranks) { highest = std::max(highest, each.said.step); }
  return highest;
}

std::map<std::int64_t, flight::FlightRecord> records_of(const std::vector<RankCase>& ranks) {
  std::map<std::int64_t, flight::FlightRecord> records;
  for (const RankCase& each : ranks) {
    if (each.evidence && each.evidence->record) { records.emplace(each.rank, *each.evidence->record); }
  }
  return records;
}

std::vector<std::string> missing_nodes(const watch::JobView& view, const std::map<std::int64_t, NodeEvidence>& answers,
                                       std::chrono::milliseconds limit) {
  std::vector<std::string> missing;
  int silent = 0;
  for (std::int64_t node = 0; node < view.nodes; ++node) {
    if (answers.contains(node)) { continue; }
    const auto told = std::find_if(view.told.begin(), view.told.end(),
                                   [&](const watch::NodeView& each) { return each.group_rank == node; });
    if (told == view.told.end()) {
      ++silent;
      continue;
    }
    missing.push_back(str_cat("node ", node, " (", told->host, ") has shown nothing of its processes within ",
                              limit.count() / 1000, " s"));
  }
  if (silent > 0) {
    missing.push_back(
        str_cat("of ", counted(silent, "node"), " there is no data: torchrun's agent, or none that answers"));
  }
  return missing;
}

}  // namespace mdl::launcher::hang
