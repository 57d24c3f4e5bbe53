#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/progress/rank_summary.hpp"

namespace mdl::launcher::progress {

/// Milliseconds since the epoch, by the clock of the node that says it.
using NodeTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// What a node tells the others of its workers.
struct NodeSummary {
  std::int64_t round = 0;
  std::int64_t group_rank = 0;  ///< of the node in that round
  NodeTime written{};
  std::string host{};
  std::int64_t first_rank = 0;       ///< of `ranks`, which follow one another
  std::vector<RankSummary> ranks{};  ///< as of `written`

  bool operator==(const NodeSummary&) const = default;
};

/// Seconds. Of a node that has told nothing for longer, nothing is up to date: nodes tell each 5 s, if nothing else has
/// come.
inline constexpr double kSummaryIsOld = 15;

/// Of one node; more are none of ours.
inline constexpr std::size_t kMostRanksOfNode = 4096;

/// What rates are at `now`: 0 for a rank whose last step is longer ago than what they are over (kRateWindow),
/// whatever its node has told before.
void end_rates(NodeSummary& summary, NodeTime now);

/// For the store: JSON, less than 100 bytes a rank of a node of eight; losses have six digits, times four or a
/// millisecond.
std::string to_text(const NodeSummary& summary);
/// What another node, or a stranger who reaches the store, has written, printable and with numbers that can be; nullopt
/// when it is something else, or of a version that is not known here.
std::optional<NodeSummary> node_summary_from_text(std::string_view text);

}  // namespace mdl::launcher::progress
