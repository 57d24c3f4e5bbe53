#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "launcher/progress/node_summary.hpp"

namespace mdl::launcher::status {

/// How a job gets on, from what its nodes have told; pure.
struct JobProgress {
  /// A node's own clock against this one, in seconds.
  struct Node {
    const progress::NodeSummary* summary = nullptr;
    double age = 0;
    bool old = false;
  };
  struct RankStep {
    std::int64_t rank = 0;
    std::int64_t step = 0;
  };
  /// The rank that takes the longest for a step of its own, of those that wait no more than most.
  struct Slowest {
    std::int64_t rank = 0;
    std::string host{};
    double own = 0;
    double median = 0;     ///< of all ranks that can be compared
    std::string gpu{};     ///< how its GPU is; empty: not known
    std::int64_t pid = 0;  ///< 0: not known
    bool even = false;     ///< it does not stand out (progress::kEvenTimes)
  };
  /// Why there is none.
  enum class NoSlowest {
    there_is,
    all_old,    ///< of no node is known what is now
    two_steps,  ///< that it takes, and no rank has told so many
    no_own,     ///< no rank sends `own`
    /// Half of those that send it at most can be compared now (progress::can_be_compared), or most of them send 0.
    not_compared,
  };

  std::map<std::int64_t, Node> nodes{};   ///< by rank of the node
  std::int64_t ranks = 0;                 ///< that have sent anything
  std::optional<RankStep> behind{};       ///< the rank with the fewest steps,
  std::optional<RankStep> ahead{};        ///< and with the most
  std::optional<std::int64_t> total{};    ///< the largest
  std::optional<double> samples_per_s{};  ///< of all ranks together; those that are old or have ended do not count
  std::optional<double> steps_per_s{};    ///< of the slowest; the same
  std::optional<double> loss{};           ///< of the lowest rank that has sent one
  std::optional<double> step_age{};       ///< since the last step of all ranks
  std::optional<Slowest> slowest{};       ///< of those that can be compared (progress::can_be_compared)
  std::set<std::int64_t> slow{};          ///< ranks that are still (progress::SlowMeasure)
  NoSlowest no_slowest = NoSlowest::there_is;
};

/// `nodes` must outlive it.
JobProgress job_progress(const std::map<std::int64_t, progress::NodeSummary>& nodes, progress::NodeTime now);

}  // namespace mdl::launcher::status
