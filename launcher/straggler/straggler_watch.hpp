#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "launcher/watch/job_view.hpp"

namespace mdl::launcher::straggler {

/// A rank for which the others wait: it is slow by its time outside collectives (progress::slow_limit), and does not
/// wait in them more than the median does. Seconds of a step.
struct Straggler {
  std::int64_t rank = 0;
  std::string host{};
  double own = 0;
  double median = 0;  ///< of `own` of all ranks that send it
  std::string gpu{};  ///< how its GPU is, in words; empty: not known

  bool operator==(const Straggler&) const = default;
};

/// Finds ranks that are slow for long, from what nodes tell. Pure: views are fed in, and never go back in time. Ranks
/// that send no `own` are not judged, and nobody is, where fewer than two send it.
class StragglerWatch {
 public:
  using Time = watch::JobView::Clock::time_point;

  /// A rank is told once it has been slow for `lasting`.
  explicit StragglerWatch(std::chrono::milliseconds lasting = std::chrono::seconds(60)) : lasting_(lasting) {}

  struct Change {
    std::vector<Straggler> slow{};       ///< ranks that are told now, by their number
    std::vector<Straggler> recovered{};  ///< that were told, and are slow no longer
  };
  /// Each view of the job; nodes that have told nothing for long do not count. Another round begins anew.
  Change look(const watch::JobView& view);

 private:
  struct Slow {
    Time since{};
    bool told = false;
    Straggler last{};
  };

  std::chrono::milliseconds lasting_;
  std::int64_t round_ = -1;
  std::map<std::int64_t, Slow> slow_{};  ///< by rank
};

/// "rank 3 on node1 is slow: 0.93 s of its own a step; the median of all ranks is 0.7 s. The others wait for it. Its
/// GPU: 84 °C, …", a line for each host; of a host with several, how many, and the slowest.
std::vector<std::string> describe_stragglers(const std::vector<Straggler>& slow);

}  // namespace mdl::launcher::straggler
