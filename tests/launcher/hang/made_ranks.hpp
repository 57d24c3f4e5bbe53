#pragma once

#include <cstdint>
#include <vector>

#include "launcher/hang/hang_verdict.hpp"
#include "launcher/hang/rank_case.hpp"

namespace mdl::test {

using launcher::hang::RankCase;

/// A rank of two on node0, or of those after them on node1, whose one process has been looked at for a second.
inline RankCase rank_in_state(std::int64_t rank, char state, double cpu = 0) {
  RankCase each;
  each.rank = rank;
  each.host = rank < 2 ? "node0" : "node1";
  each.said.step = 118;
  each.said.age = each.said.step_age = 75;
  each.seconds = 1;
  each.evidence.emplace();
  each.evidence->cpu = cpu;
  each.evidence->process_count = 1;
  each.evidence->processes.resize(1);
  each.evidence->processes[0].pid = 100 + rank;
  each.evidence->processes[0].name = "python3";
  each.evidence->processes[0].state = state;
  return each;
}

inline std::vector<RankCase> four_sleepers() {
  return {rank_in_state(0, 'S'), rank_in_state(1, 'S'), rank_in_state(2, 'S'), rank_in_state(3, 'S')};
}

/// Where all ranks are known.
inline launcher::hang::HangVerdict verdict_of(const std::vector<RankCase>& ranks,
                                              const launcher::flight::FlightVerdict& records = {}) {
  return launcher::hang::hang_verdict(ranks, records, static_cast<std::int64_t>(ranks.size()));
}

}  // namespace mdl::test
