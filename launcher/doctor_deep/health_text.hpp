#pragma once

#include <cstdint>
#include <string>

namespace mdl::launcher::doctor_deep {

/// "110 TFLOP/s" of 1.1e14 and "FLOP/s": three digits, with the prefix of powers of 1000 that fits.
std::string scaled(std::int64_t value, const std::string& unit);

/// "110 of 180 TFLOP/s": both with the prefix of the second.
std::string scaled_of(std::int64_t value, std::int64_t whole, const std::string& unit);

/// "171 to 180 TFLOP/s", or the one of them where they look alike.
std::string scaled_range(std::int64_t least, std::int64_t most, const std::string& unit);

/// "14.2 µs" of 14,200 ns.
std::string time_text(std::int64_t nanoseconds);

}  // namespace mdl::launcher::doctor_deep
