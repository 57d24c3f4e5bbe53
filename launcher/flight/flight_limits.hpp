#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace mdl::launcher::flight {

// What a record keeps of texts and numbers from elsewhere.
inline constexpr std::size_t kLongestName = 64;  ///< of a group, a library, a description
inline constexpr std::size_t kLongestOperation = 48;
inline constexpr std::size_t kLongestSizes = 96;
inline constexpr std::size_t kLongestTypes = 48;
/// Of sequences and of nanoseconds since the epoch, until the year 2255.
inline constexpr std::int64_t kLargestFlightNumber = 9'000'000'000'000'000'000;

/// An integer from 0 to kLargestFlightNumber.
std::optional<std::int64_t> flight_number(const nlohmann::json& value);

}  // namespace mdl::launcher::flight
