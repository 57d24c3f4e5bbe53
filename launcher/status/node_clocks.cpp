#include "launcher/status/node_clocks.hpp"

#include <algorithm>

namespace mdl::launcher::status {
namespace {

constexpr std::size_t kMostAges = 4;  // so that a clock that is set is believed soon

}  // namespace

void NodeClocks::correct(std::map<std::int64_t, progress::NodeSummary>& summaries, progress::NodeTime now) {
  for (auto& [node, summary] : summaries) {
    Clock& clock = clocks_[node];
    if (clock.ages.empty() || clock.written != summary.written) {
      clock.written = summary.written;
      if (clock.ages.size() == kMostAges) { clock.ages.erase(clock.ages.begin()); }
      clock.ages.push_back(now - summary.written);
    }
    const auto off = *std::min_element(clock.ages.begin(), clock.ages.end());
    // What was never seen to change may be old indeed, but cannot be from the future.
    const bool is_known = off < -kTolerance || (off > kTolerance && clock.ages.size() > 1);
    if (is_known) { summary.written += off; }
  }
}

}  // namespace mdl::launcher::status
