#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace mdl::launcher::job {

/// Why a round of workers has ended, as far as a node has been told.
enum class RoundEnd {
  membership,  ///< nodes have come or gone, or the store was lost
  failure,     ///< a worker has failed, here or on another node, where the restart counts against --max-restarts
  unknown,     ///< one of these: torchrun's agents, which do not say, are in the round
};

/// That, and of a failure on another node what has failed, as its agent, or a stranger, says it: any bytes; empty where
/// nobody does.
struct EndedRound {
  RoundEnd why = RoundEnd::membership;
  std::string failure{};
};

/// Restarts for a change of membership cost nothing, so this bounds them: a row of rounds that end before their workers
/// have lived for kShortLife is slowed down, and in the end given up. A round that lived longer ends the row, and so
/// does one that a failure has ended: --max-restarts bounds those. Pure; the time is fed in.
class FreeRestarts {
 public:
  static constexpr std::chrono::seconds kShortLife{10};
  static constexpr std::chrono::seconds kLongestPause{30};
  static constexpr int kMostInARow = 10;

  /// A round has ended after its workers have lived for `lived`; 0 when they were not even started. How long the next
  /// one is to wait: nothing after the first of a row would be too short for a node that comes and goes, so 1 s, then
  /// 2, 4 … kLongestPause. nullopt: the row has become too long. One in which restarts may have been paid for is only
  /// slowed down.
  std::optional<std::chrono::seconds> round_ended(RoundEnd why, std::chrono::nanoseconds lived);

 private:
  int short_in_a_row_ = 0;
};

}  // namespace mdl::launcher::job
