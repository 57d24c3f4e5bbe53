#include "launcher/watch/node_views.hpp"

#include <optional>
#include <utility>

namespace mdl::launcher::watch {
namespace {

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
}

void NodeViews::take(progress::NodeSummary summary, JobView::Clock::time_point now) {
  if (summary.round != round_) { return; }
  Known& known = known_[summary.group_rank];
  const bool is_new = known.seen == JobView::Clock::time_point() || known.summary.written != summary.written;
  if (!is_new) { return; }
  known.summary = std::move(summary);
  known.seen = now;
}

std::vector<NodeView> NodeViews::at(JobView::Clock::time_point now) const {
  std::vector<NodeView> views;
  for (const auto& [rank, known] : known_) {
    views.push_back(view_of(known.summary, std::chrono::duration<double>(now - known.seen).count()));
  }
  return views;
}

}  // namespace mdl::launcher::watch
