#include "launcher/flight/entry_choice.hpp"

#include <algorithm>
#include <set>

namespace mdl::launcher::flight {

std::vector<FlightEntry> choose_entries(const std::vector<FlightEntry>& entries, std::size_t most) {
  const std::size_t size = entries.size();
  if (size <= most) { return entries; }
  const auto first_pending = [&](bool p2p) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const FlightEntry& entry) { return is_pending(entry) && entry.p2p == p2p; });
    return static_cast<std::size_t>(found - entries.begin());
  };
  std::set<std::size_t> chosen;
  const auto choose = [&](std::size_t i) {
    if (i < size && chosen.size() < most) { chosen.insert(i); }
  };
  const std::size_t pending = first_pending(false);
  const std::size_t centre = pending < size ? pending : size - 1;
  choose(centre);
  if (centre > 0) { choose(centre - 1); }
  choose(first_pending(true));
  for (std::size_t distance = 0; distance < size && chosen.size() < most; ++distance) {
    if (distance <= centre) { choose(centre - distance); }
    choose(centre + distance);
  }
  std::vector<FlightEntry> result;
  for (const std::size_t i : chosen) { result.push_back(entries[i]); }
  return result;
}

}  // namespace mdl::launcher::flight
