#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "launcher/progress/node_clocks.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/watch/job_view.hpp"

namespace mdl::launcher::watch {

/// What the other nodes of a round have told last. Pure: the time is fed in. The clocks of nodes need not agree
/// (progress::NodeClocks). A summary that was not there before is no older than the time since this node looked before.
class NodeViews {
 public:
  /// Forgets all.
  void begin(std::int64_t round);
  /// What is in the store of a node at `now`. That of another round is passed over.
  void take(progress::NodeSummary summary, JobView::Clock::time_point now);
  /// By their rank in the round.
  std::vector<NodeView> at(JobView::Clock::time_point now) const;

 private:
  struct Known {
    progress::NodeSummary summary{};
    JobView::Clock::time_point seen{};
    JobView::Clock::time_point looked{};            ///< last, whatever was there
    std::chrono::duration<double> old_when_seen{};  ///< the summary
  };
  std::int64_t round_ = 0;
  std::map<std::int64_t, Known> known_{};
  progress::NodeClocks clocks_{};
};

/// A node's view from what it says, `old` seconds later.
NodeView view_of(const progress::NodeSummary& summary, double old);

}  // namespace mdl::launcher::watch
