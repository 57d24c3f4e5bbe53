#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/expected.hpp"
#include "launcher/flight/flight_record.hpp"

namespace mdl::launcher::flight {

/// A larger dump is refused.
inline constexpr std::size_t kLargestDump = 64 * 1024 * 1024;

/// Reads a dump of torch's flight recorder, of which every byte may be wrong: a pickle (see common/pickle: nothing is
/// imported or called, whatever it asks for) or JSON, as LibTorch's handlers give them. Memory and time are bounded: 2
/// million values, of an entry 4,096. Where something is not as it must be, it is left out; the error says why there is
/// no record at all, in printable words.
Expected<FlightRecord, std::string> read_flight_record(std::string_view dump);

}  // namespace mdl::launcher::flight
