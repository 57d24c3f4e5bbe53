#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/watch/job_view.hpp"

namespace mdl::launcher::straggler {

/// A rank for which the others wait (progress::SlowMeasure). Seconds of a step.
struct Straggler {
  std::int64_t rank = 0;
  std::string host{};
  double own = 0;
  double median = 0;  ///< of `own` of all ranks that can be compared
  std::string gpu{};  ///< how its GPU is, in words; empty: not known

  bool operator==(const Straggler&) const = default;
};

/// Finds ranks that are slow for long, from what nodes tell. Pure: views are fed in, and never go back in time. Ranks
/// that send no `own` are not judged, and nobody is, where no more than half of those that send it can be compared.
/// Whoever is not judged in a view stays what he was, and the time does not count.
class StragglerWatch {
 public:
  using Time = watch::JobView::Clock::time_point;

  /// A rank is told once it has been slow for `lasting`, with two messages at least since it began, and is slow still.
  explicit StragglerWatch(std::chrono::milliseconds lasting = std::chrono::seconds(60)) : lasting_(lasting) {}

  struct Change {
    std::vector<Straggler> slow{};       ///< ranks that are told now, by their number
    std::vector<Straggler> recovered{};  ///< that were told, and are slow no longer
  };
  /// Each view of the job; nodes that have told nothing for long do not count. Another round begins anew.
  Change look(const watch::JobView& view);

 private:
  struct Slow {
    bool told = false;
    Time::duration lasted{};
    std::optional<Time> counted{};            ///< up to when that is, if it was judged in the last view
    std::optional<std::int64_t> last_step{};  ///< that its own time was told with
    int messages = 0;                         ///< of its own time since it began
  };
  struct Judged {
    Straggler rank{};
    const progress::RankSummary* said = nullptr;
  };

  /// `senders` grows by how many send their own time.
  static std::vector<Judged> ranks_to_judge(const watch::JobView& view, std::size_t& senders);
  /// Whether a rank that is slow is to be told now.
  bool count(Slow& slow, const progress::RankSummary& said, Time now) const;

  std::chrono::milliseconds lasting_;
  std::int64_t round_ = -1;
  std::map<std::int64_t, Slow> slow_{};  ///< by rank
};

/// What is told of ranks of one host together.
struct HostLine {
  std::string text{};
  std::vector<std::int64_t> ranks{};

  bool operator==(const HostLine&) const = default;
};

/// "rank 3 on node1 is slow: 0.93 s of its own a step; the median of all ranks is 0.7 s. The others wait for it. Its
/// GPU: 84 °C, …", a line for each host; of a host with several, how many, and the slowest.
std::vector<HostLine> describe_stragglers(const std::vector<Straggler>& slow);
/// "rank 3 on node1 is slow no longer", "3 ranks on node1 are slow no longer: 3, 5, 6", a line for each host.
std::vector<HostLine> describe_recovered(const std::vector<Straggler>& recovered);

}  // namespace mdl::launcher::straggler
