#include "launcher/progress/node_clocks.hpp"

#include <algorithm>

namespace mdl::launcher::progress {
namespace {

constexpr std::size_t kMostAges = 4;  // so that a clock that is set is believed soon

}  // namespace

NodeClocks::Sight NodeClocks::see(const NodeSummary& summary, Duration now) {
  Clock& clock = clocks_[summary.group_rank];
  const bool is_another = clock.round != summary.round || clock.host != summary.host;
  if (is_another || summary.written < clock.written) { clock = {summary.round, summary.host, {}, {}}; }
  Sight sight;
  sight.is_new = clock.ages.empty() || clock.written != summary.written;
  if (sight.is_new) {
    clock.written = summary.written;
    if (clock.ages.size() == kMostAges) { clock.ages.erase(clock.ages.begin()); }
    clock.ages.push_back(now - summary.written.time_since_epoch());
  }
  sight.summaries = clock.ages.size();
  sight.age = clock.ages.back();
  sight.off = *std::min_element(clock.ages.begin(), clock.ages.end());
  return sight;
}

void NodeClocks::correct(std::map<std::int64_t, NodeSummary>& summaries, NodeTime now) {
  for (auto& [node, summary] : summaries) {
    const Sight sight = see(summary, now.time_since_epoch());
    // What was never seen to change may be old indeed, but cannot be from the future.
    const bool is_known = sight.off < -kTolerance || (sight.off > kTolerance && sight.summaries > 1);
    if (is_known) { summary.written += sight.off; }
  }
}

}  // namespace mdl::launcher::progress
