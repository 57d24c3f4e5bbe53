#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "launcher/hang/evidence.hpp"
#include "launcher/progress/rank_summary.hpp"

namespace mdl::launcher::hang {

/// All that is known of one rank of a job that hangs.
struct RankCase {
  std::int64_t rank = 0;
  std::int64_t node = 0;  ///< its rank in the round
  std::int64_t local_rank = 0;
  std::string host{};
  progress::RankSummary said{};            ///< by itself
  std::optional<RankEvidence> evidence{};  ///< of its node; nullopt: the node gave none
  double seconds = 0;                      ///< that the evidence's CPU times are of
  std::string store_key{};                 ///< that it waits for in the workers' store; empty: for none, or not known
  bool waits_for_no_key = false;           ///< it is known that it does not
  double store_wait = 0;                   ///< seconds
};

}  // namespace mdl::launcher::hang
