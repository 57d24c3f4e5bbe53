#pragma once

#include <cstdint>
#include <string>

namespace mdl::worker::reports::page {

/// Four significant digits: "7.708", "1.2e-5", "12,340" of a whole number.
std::string short_number(double value);

/// The shortest text that reads back as the same number: "0.30000000000000004".
std::string exact_number(double value);

/// "12,340".
std::string grouped(std::int64_t value);

/// "512 MiB", "1.50 GiB".
std::string bytes_text(double bytes);

/// "0.8 s", "42 s", "12 min 3 s", "5 h 12 min", "3 d 4 h".
std::string duration_text(double seconds);

/// "2026-11-28 22:15 UTC". `seconds`: since 1970.
std::string time_text(std::int64_t seconds);

}  // namespace mdl::worker::reports::page
