#include "launcher/dashboard/rank_places.hpp"

#include <algorithm>

namespace mdl::launcher::dashboard {
namespace {

// What strangers who reach the store may say of a node is bounded here.
constexpr auto kMostOfNode = static_cast<std::int64_t>(progress::kMostRanksOfNode);
constexpr std::int64_t kLargestFirst = std::int64_t{1} << 32;

}  // namespace

std::vector<RankPlace> rank_places(const status::JobStatus& status, const status::JobProgress& job) {
  std::vector<RankPlace> places;
  if (!status.rendezvous.state || !status.rendezvous.state->complete) { return places; }
  std::int64_t next = 0;
  for (const auto& [node, description] : status::participants_of(*status.rendezvous.state)) {
    RankPlace place;
    place.node = node;
    place.first_rank = next;
    const auto workers = status.workers.find(node);
    if (workers != status.workers.end()) { place.count = workers->second.local_world_size; }
    const auto told = job.nodes.find(node);
    if (told != job.nodes.end()) {
      place.told = &told->second;
      place.first_rank = std::min(place.told->summary->first_rank, kLargestFirst);
      place.count = static_cast<std::int64_t>(place.told->summary->ranks.size());
    }
    place.count = std::clamp<std::int64_t>(place.count, 0, kMostOfNode);
    next = place.first_rank + place.count;
    places.push_back(place);
  }
  return places;
}

std::optional<std::int64_t> node_of(const std::vector<RankPlace>& places, std::int64_t rank) {
  for (const RankPlace& place : places) {
    if (rank >= place.first_rank && rank - place.first_rank < place.count) { return place.node; }
  }
  return std::nullopt;
}

}  // namespace mdl::launcher::dashboard
