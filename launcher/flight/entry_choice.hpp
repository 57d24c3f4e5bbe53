#pragma once

#include <cstddef>
#include <vector>

#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::flight {

/// The `most` entries of one group that tell most, in their order: the first one that is not done, the last one before
/// it that is, and those around; the newest where all are done.
std::vector<FlightEntry> choose_entries(const std::vector<FlightEntry>& entries, std::size_t most);

/// Whether somebody waits in it, for all that is known here.
inline bool is_pending(const FlightEntry& entry) {
  return entry.state != FlightState::completed;
}

}  // namespace mdl::launcher::flight
