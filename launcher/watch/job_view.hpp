#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "launcher/progress/rank_summary.hpp"

namespace mdl::launcher::watch {

/// How the workers of one node get on.
struct NodeView {
  std::int64_t group_rank = 0;
  std::string host{};
  std::int64_t first_rank = 0;
  std::vector<progress::RankSummary> ranks{};  ///< their ages are as of the view
  /// Seconds since the node has told it, as far as can be known here: by this node's clock, from when it was read.
  double told_age = 0;
};

/// How all workers of a job get on, as one node sees it at one moment: what those who judge it are given.
struct JobView {
  using Clock = std::chrono::steady_clock;
  Clock::time_point at{};
  std::chrono::duration<double> since_start{};  ///< since this attempt's workers were started on the watching node
  std::int64_t round = 0;
  std::int64_t watcher = 0;  ///< the rank of the node that watches, among them
  int nodes = 1;             ///< that are in the round
  std::int64_t world_size = 1;
  /// Those of whose workers anything is known, by their rank in the round. The others have agents of torchrun's, or
  /// workers that send nothing.
  std::vector<NodeView> told{};
  /// Whether a rank is slow, as the node said last that has watched this round before: in the first view after the
  /// watch has passed on to this node.
  std::map<std::int64_t, bool> told_slow{};
};

/// A node's rank in the round that takes part in what the rounds' nodes agree on.
struct WatchedRound {
  std::int64_t number = 0;
  std::int64_t group_rank = 0;  ///< of the node that watches
  int nodes = 1;
  std::int64_t world_size = 1;
};

}  // namespace mdl::launcher::watch
