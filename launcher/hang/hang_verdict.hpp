#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "launcher/flight/flight_verdict.hpp"
#include "launcher/hang/rank_case.hpp"

namespace mdl::launcher::hang {

struct HangVerdict {
  std::string sentence{};          ///< without its full stop
  std::set<std::int64_t> ranks{};  ///< those to look at first; none where nothing tells ranks apart
};

/// What tells the ranks of a job that hangs apart, by what is known of them, as beside their records of collectives:
/// "rank 3 on node1 is stopped (state T): ranks 0 to 2 wait for it". The first of these that holds for some ranks and
/// not for others: they are stopped, or held by a debugger; they have ended; they are dead but for some threads, or in
/// a system call that cannot be interrupted; they are a step behind; they are in a section, or the only ones in none;
/// they have not joined the process group; they are the ones that wait for no key of the store; they alone wait for a
/// key; they compute while the others sleep, or the other way round. Where nothing does, the sentence says so and what
/// the kernel shows. Ranks of which nothing is known are not named.
///
/// What the records say comes first where it tells ranks apart; what the kernel shows of them is added. `world_size`:
/// how many ranks there are, also those of which nothing is known.
HangVerdict hang_verdict(const std::vector<RankCase>& ranks, const flight::FlightVerdict& records,
                         std::int64_t world_size);

}  // namespace mdl::launcher::hang
