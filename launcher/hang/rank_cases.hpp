#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/hang/rank_case.hpp"
#include "launcher/watch/job_view.hpp"
#include "rendezvous/server/store_wait.hpp"

namespace mdl::launcher::hang {

/// What ranks have said and what their nodes have shown, by rank. Ranks of which there is neither are left out, and
/// what a node shows of the ranks of another: this node's own word counts, and then who has told of a rank first.
std::vector<RankCase> rank_cases(const watch::JobView& view, const std::map<std::int64_t, NodeEvidence>& answers);

/// Which rank is which client of the workers' store, by the two ends of its connection. What agents wait for there is
/// passed over.
void join_store_waits(std::vector<RankCase>& ranks, const std::vector<rendezvous::server::StoreWait>& waits);

/// nullopt where no rank has said one.
std::optional<std::int64_t> highest_step(const std::vector<RankCase>& ranks);

/// The records of collectives of those that have one, by rank.
std::map<std::int64_t, flight::FlightRecord> records_of(const std::vector<RankCase>& ranks);

/// Of which nodes something is missing, and why, in words; `limit` is how long they were waited for.
std::vector<std::string> missing_nodes(const watch::JobView& view, const std::map<std::int64_t, NodeEvidence>& answers,
                                       std::chrono::milliseconds limit);

}  // namespace mdl::launcher::hang
