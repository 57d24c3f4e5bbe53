#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "launcher/progress/rank_summary.hpp"

namespace mdl::launcher::progress {

/// A rank is slow whose own time of a step, outside collectives, is over so many times the median of all ranks that
/// can be compared. The one place that says so: for the log, the events, `status` and the page.
inline constexpr double kSlowTimes = 1.3;
/// Below it a slow rank is slow no longer: so one at the limit is not told again and again.
inline constexpr double kNoLongerSlowTimes = 1.2;
/// Up to it the slowest rank does not stand out: ranks that do the same differ by so much.
inline constexpr double kEvenTimes = 1.1;
inline constexpr double kLeastSlowDifference = 0.005;  ///< seconds; of shorter steps the clock and the kernel decide

/// The lower one of the two in the middle of an even number: of two ranks, the faster one is the measure. `values` has
/// one at least.
double lower_median(std::vector<double> values);

/// Seconds of a step; who takes longer is slow beside that median.
double slow_limit(double median, double times = kSlowTimes);

/// Whether a rank's own time of a step says something of now: it sends it, has not ended, and has made a step lately.
/// Its node has told it `told_age` seconds ago, and it is `later` seconds since what its ages are as of.
bool can_be_compared(const RankSummary& rank, double told_age, double later);

/// What ranks that do the same work are compared by.
class SlowMeasure {
 public:
  /// `ranks`: those for which can_be_compared() holds. `senders`: how many there are that send their own time and have
  /// not ended. The median of half of them or fewer could be that of slow ones, and is none.
  SlowMeasure(const std::vector<const RankSummary*>& ranks, std::size_t senders);

  /// Whether ranks can be judged: there are two at least to be compared, with a median.
  bool judges() const { return own_ && count_ >= 2; }
  /// Of own time. nullopt where there is no rank, too few of them, or most of them tell no time of their own.
  const std::optional<double>& median() const { return own_; }
  /// One of them, by its own time alone; false where nobody can be judged.
  bool takes_long(const RankSummary& rank, double times = kSlowTimes) const;
  /// The same of the newest few seconds.
  bool takes_long_lately(const RankSummary& rank) const;
  /// More than the median of those that send it: then it is held up itself, by another one.
  bool waits_more(const RankSummary& rank) const;
  /// Whether the others wait for it.
  bool is_slow(const RankSummary& rank) const { return takes_long(rank) && !waits_more(rank); }
  /// And still do.
  bool is_slow_still(const RankSummary& rank) const { return is_slow(rank) && takes_long_lately(rank); }

 private:
  std::size_t count_ = 0;
  std::optional<double> own_{};
  std::optional<double> lately_{};
  std::optional<double> waiting_{};
};

}  // namespace mdl::launcher::progress
