#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "launcher/progress/node_summary.hpp"

namespace mdl::launcher::progress {

/// Nodes date what they tell by their own clocks. Who looks at a job again and again sees when something new has come,
/// and so how far a clock is off: by the least age of the last few summaries of a node. A node whose clock is set back,
/// that is of another round, or whose rank another host has taken, begins anew. Pure: the time is fed in.
class NodeClocks {
 public:
  using Duration = NodeTime::duration;
  static constexpr std::chrono::seconds kTolerance{10};  ///< up to so much a clock is taken for right

  /// What one look has shown of a node's clock.
  struct Sight {
    bool is_new = false;        ///< the summary was not there at the last look
    std::size_t summaries = 0;  ///< that are known of this clock, this one too; at most a few
    Duration age{};             ///< of the newest one when it was seen first, by both clocks
    Duration off{};             ///< of that, what the clocks differ by, as far as is known: the least age
  };
  /// `now`: by the reader's clock, from whatever that counts from.
  Sight see(const NodeSummary& summary, Duration now);

  /// Dates the summaries (by node) by this machine's clock, as far as it is known by now how far theirs are off.
  void correct(std::map<std::int64_t, NodeSummary>& summaries, NodeTime now);

 private:
  struct Clock {
    std::int64_t round = 0;
    std::string host{};
    NodeTime written{};            ///< the newest, by the node's clock
    std::vector<Duration> ages{};  ///< of the last few when they were seen first
  };
  std::map<std::int64_t, Clock> clocks_{};
};

}  // namespace mdl::launcher::progress
