#include "launcher/watch/node_views.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace mdl::launcher::watch {
namespace {

using Seconds = std::chrono::duration<double>;

void grow(std::optional<double>& age, double by) {
  if (age) { *age += by; }
}

}  // namespace

NodeView view_of(const progress::NodeSummary& summary, double old) {
  NodeView view;
  view.group_rank = summary.group_rank;
  view.host = summary.host;
  view.first_rank = summary.first_rank;
  view.ranks = summary.ranks;
  view.told_age = old;
  for (progress::RankSummary& rank : view.ranks) {
    grow(rank.age, old);
    grow(rank.step_age, old);
    grow(rank.section_age, old);
    grow(rank.section_left_age, old);
  }
  return view;
}

void NodeViews::begin(std::int64_t round) {
  round_ = round;
  known_.clear();
  clocks_ = {};
}

void NodeViews::take(progress::NodeSummary summary, JobView::Clock::time_point now) {
  if (summary.round != round_) { return; }
  const auto sight = clocks_.see(summary, std::chrono::floor<progress::NodeClocks::Duration>(now.time_since_epoch()));
  Known& known = known_[summary.group_rank];
  const auto looked_before = std::exchange(known.looked, now);
  if (!sight.is_new) { return; }
  known.old_when_seen = std::min<Seconds>(sight.age - sight.off, now - looked_before);
  known.summary = std::move(summary);
  known.seen = now;
}

std::vector<NodeView> NodeViews::at(JobView::Clock::time_point now) const {
  std::vector<NodeView> views;
  for (const auto& [rank, known] : known_) {
    views.push_back(view_of(known.summary, (Seconds(now - known.seen) + known.old_when_seen).count()));
  }
  return views;
}

}  // namespace mdl::launcher::watch
