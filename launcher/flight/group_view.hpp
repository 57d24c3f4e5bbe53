#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::flight {

/// One process group as all its ranks have recorded it, and what follows for who waits there for whom.
struct GroupView {
  using Ranks = std::vector<std::int64_t>;

  std::string name{};  ///< "process group 0 (default_pg)"
  std::map<std::int64_t, const FlightGroup*>
      recorded{};      ///< by rank; null where a rank with a record has not come here
  Ranks unrecorded{};  ///< members without a record

  // About the first collective that is not done on some rank; none where nobody waits.
  std::optional<std::int64_t> sequence{};
  std::string operation{};  ///< "all-reduce 1,204"
  Ranks waiting{};          ///< to whom it is not done
  Ranks behind{};           ///< who have not come to it
  Ranks past{};             ///< to whom it is done
  /// How ranks differ in it: "does broadcast" by ranks; more than one where they do.
  std::map<std::string, Ranks> ways{};

  /// The entry of a rank for a collective, or null.
  const FlightEntry* find(std::int64_t rank, std::int64_t number) const;
};

/// The groups of all records, those of one library and name whose ranks are the same together. `records` must outlive
/// it.
std::vector<GroupView> group_views(const std::map<std::int64_t, FlightRecord>& records, std::int64_t world_size);

/// "all-reduce 1,204" of "all_reduce".
std::string operation_in_words(const std::string& operation, std::int64_t sequence);

}  // namespace mdl::launcher::flight
