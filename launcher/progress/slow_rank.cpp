#include "launcher/progress/slow_rank.hpp"

#include <algorithm>
#include <utility>

#include "launcher/progress/node_summary.hpp"

namespace mdl::launcher::progress {
namespace {

/// A rank that has made no step for longer is not slow but stands still, unless its steps, or its messages, come as
/// rarely.
constexpr double kStandsStill = 60;
constexpr double kStepsToStandStill = 3;

double own_lately(const RankSummary& rank) {
  return rank.own_lately.value_or(*rank.own);
}

/// nullopt for none, and for 0: nobody takes no time for a step, so it is not told with each of them.
std::optional<double> median_above_0(std::vector<double> values) {
  if (values.empty()) { return std::nullopt; }
  const double median = lower_median(std::move(values));
  return median > 0 ? std::optional(median) : std::nullopt;
}

}  // namespace

double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double slow_limit(double median, double times) {
  return std::max(times * median, median + kLeastSlowDifference);
}

bool can_be_compared(const RankSummary& rank, double told_age, double later) {
  if (!rank.own || rank.ended || told_age > kSummaryIsOld || !rank.step_age) { return false; }
  const double step = std::max(*rank.own + rank.waiting.value_or(0), rank.longest_step.value_or(0));
  return *rank.step_age + later <= std::max(kStandsStill, kStepsToStandStill * step);
}

SlowMeasure::SlowMeasure(const std::vector<const RankSummary*>& ranks, std::size_t senders) : count_(ranks.size()) {
  if (2 * count_ <= senders) { return; }
  std::vector<double> own;
  std::vector<double> lately;
  std::vector<double> waiting;
  for (const RankSummary* rank : ranks) {
    own.push_back(*rank->own);
    lately.push_back(own_lately(*rank));
    if (rank->waiting) { waiting.push_back(*rank->waiting); }
  }
  own_ = median_above_0(std::move(own));
  lately_ = median_above_0(std::move(lately));
  if (!waiting.empty()) { waiting_ = lower_median(std::move(waiting)); }
}

bool SlowMeasure::takes_long(const RankSummary& rank, double times) const {
  return own_ && *rank.own > slow_limit(*own_, times);
}

bool SlowMeasure::takes_long_lately(const RankSummary& rank) const {
  return lately_ && own_lately(rank) > slow_limit(*lately_);
}

bool SlowMeasure::waits_more(const RankSummary& rank) const {
  return rank.waiting && waiting_ && *rank.waiting > *waiting_;
}

}  // namespace mdl::launcher::progress
