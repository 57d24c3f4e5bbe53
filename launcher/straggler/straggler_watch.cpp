#include "launcher/straggler/straggler_watch.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include "common/str_cat.hpp"
#include "launcher/progress/node_summary.hpp"
#include "launcher/progress/slow_rank.hpp"

namespace mdl::launcher::straggler {
namespace {

using progress::RankSummary;

/// A rank that has made no step for longer is not slow but stands still, unless its steps take that long.
constexpr double kStandsStill = 60;
constexpr double kStepsToStandStill = 3;

struct Judged {
  Straggler rank{};
  double waiting = 0;
};

bool is_moving(const RankSummary& rank) {
  const double step = *rank.own + rank.waiting.value_or(0);
  return rank.step_age && *rank.step_age <= std::max(kStandsStill, kStepsToStandStill * step);
}

std::vector<Judged> ranks_to_judge(const watch::JobView& view) {
  std::vector<Judged> judged;
  for (const watch::NodeView& node : view.told) {
    if (node.told_age > progress::kSummaryIsOld) { continue; }
    for (std::size_t i = 0; i < node.ranks.size(); ++i) {
      const RankSummary& rank = node.ranks[i];
      if (!rank.own || !is_moving(rank)) { continue; }
      const std::int64_t number = node.first_rank + static_cast<std::int64_t>(i);
      judged.push_back({{number, node.host, *rank.own, 0, rank.gpu}, rank.waiting.value_or(0)});
    }
  }
  return judged;
}

template <typename Field>
double median_of(const std::vector<Judged>& judged, Field field) {
  std::vector<double> values;
  for (const Judged& each : judged) { values.push_back(field(each)); }
  return progress::lower_median(std::move(values));
}

double own_of(const Judged& judged) {
  return judged.rank.own;
}
double waiting_of(const Judged& judged) {
  return judged.waiting;
}

std::string seconds_of_step(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", seconds);
  return text;
}

}  // namespace

StragglerWatch::Change StragglerWatch::look(const watch::JobView& view) {
  Change change;
  if (view.round != round_) { slow_.clear(); }
  round_ = view.round;

  const std::vector<Judged> judged = ranks_to_judge(view);
  std::map<std::int64_t, Slow> still;
  if (judged.size() >= 2) {
    const double median = median_of(judged, own_of), waiting = median_of(judged, waiting_of);
    for (const Judged& each : judged) {
      const auto known = slow_.find(each.rank.rank);
      const bool was_told = known != slow_.end() && known->second.told;
      const double times = was_told ? progress::kNoLongerSlowTimes : progress::kSlowTimes;
      const bool is_slow = each.rank.own > progress::slow_limit(median, times);
      // Whoever waits more than most is held up itself, by another one.
      if (!is_slow || each.waiting > waiting) { continue; }
      Slow& slow = still[each.rank.rank];
      slow = known == slow_.end() ? Slow{.since = view.at} : known->second;
      slow.last = each.rank;
      slow.last.median = median;
      if (!slow.told && view.at - slow.since >= lasting_) {
        slow.told = true;
        change.slow.push_back(slow.last);
      }
    }
  }
  for (const auto& [rank, slow] : slow_) {
    if (slow.told && !still.contains(rank)) { change.recovered.push_back(slow.last); }
  }
  slow_ = std::move(still);
  return change;
}

std::vector<std::string> describe_stragglers(const std::vector<Straggler>& slow) {
  std::map<std::string, std::vector<const Straggler*>> hosts;
  for (const Straggler& each : slow) { hosts[each.host].push_back(&each); }
  std::vector<std::string> lines;
  for (const auto& [host, ranks] : hosts) {
    const Straggler& worst = **std::ranges::max_element(ranks, {}, [](const Straggler* each) { return each->own; });
    const std::string times = str_cat(seconds_of_step(worst.own), " of its own a step; the median of all ranks is ",
                                      seconds_of_step(worst.median));
    std::string line = ranks.size() == 1
                           ? str_cat("rank ", worst.rank, " on ", host, " is slow: ", times, ". The others wait for it")
                           : str_cat(ranks.size(), " ranks on ", host, " are slow, the most of them rank ", worst.rank,
                                     ": ", times, ". The others wait for them");
    if (!worst.gpu.empty()) { line += str_cat(". Its GPU: ", worst.gpu); }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace mdl::launcher::straggler
