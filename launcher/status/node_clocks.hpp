#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "launcher/progress/node_summary.hpp"

namespace mdl::launcher::status {

/// Nodes date what they tell by their own clocks. Who looks at a job again and again sees when something new has come,
/// and so how far a clock is off: by the least age of the last few summaries of a node. Pure: the time is fed in.
class NodeClocks {
 public:
  static constexpr std::chrono::seconds kTolerance{10};  ///< up to so much a clock is taken for right

  /// Dates the summaries (by node) by this machine's clock, as far as it is known by now how far theirs are off.
  void correct(std::map<std::int64_t, progress::NodeSummary>& summaries, progress::NodeTime now);

 private:
  struct Clock {
    progress::NodeTime written{};                      ///< the newest, by the node's clock
    std::vector<progress::NodeTime::duration> ages{};  ///< of the last few when they were seen first
  };
  std::map<std::int64_t, Clock> clocks_{};
};

}  // namespace mdl::launcher::status
