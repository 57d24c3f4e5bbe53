#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "launcher/status/job_progress.hpp"
#include "launcher/status/job_status.hpp"

namespace mdl::launcher::dashboard {

/// Which ranks a node has.
struct RankPlace {
  std::int64_t node = 0;  ///< its rank among the nodes
  std::int64_t first_rank = 0;
  std::int64_t count = 0;
  const status::JobProgress::Node* told = nullptr;  ///< null: it has told nothing
};

/// Those of the nodes of a complete round, by node: what a node says itself counts, else what all nodes before it have.
/// `job` must outlive it. Pure.
std::vector<RankPlace> rank_places(const status::JobStatus& status, const status::JobProgress& job);

/// The node that has the rank; nullopt where none is known to.
std::optional<std::int64_t> node_of(const std::vector<RankPlace>& places, std::int64_t rank);

}  // namespace mdl::launcher::dashboard
