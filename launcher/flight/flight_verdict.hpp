#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::flight {

/// Who holds the others up, from what the ranks have recorded.
struct FlightVerdict {
  enum class Finding : unsigned char {
    behind,      ///< ranks have not come to an operation in which others wait
    mismatch,    ///< ranks do different things in an operation that does not end
    circle,      ///< ranks wait for each other in different groups
    unrecorded,  ///< those with a record wait together, and of others there is none
    together,    ///< all wait in the same operation, and do the same: nothing tells them apart
    idle,        ///< nobody waits in any operation, as far as there are records
    nothing      ///< there is no record
  };

  Finding finding = Finding::nothing;
  /// A sentence without a full stop: "rank 3 did not reach all-reduce 1,204, in which ranks 0 to 2 wait". Of
  /// `unrecorded`, who has no record: "ranks 0 to 2 wait in all-reduce 1,204; there is no record of rank 3".
  std::string headline{};
  /// More of the same, by process group; at most kMostDetails.
  std::vector<std::string> details{};
  /// Those to look at first, sorted: who is behind, differs or has no record; none where nothing tells ranks apart.
  std::vector<std::int64_t> ranks{};

  static constexpr std::size_t kMostDetails = 16;
};

/// `records`: by global rank, of those that have one. `world_size`: all ranks are below it. Pure.
FlightVerdict flight_verdict(const std::map<std::int64_t, FlightRecord>& records, std::int64_t world_size);

}  // namespace mdl::launcher::flight
