#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdl::worker::dataset {

/// A record of a CSV text. An empty field, quoted or not, is missing, as pandas reads it; so is one that the record
/// breaks off before. Unlike for pandas, "NA", "null" and the like are texts.
struct CsvRecord {
  std::int64_t line = 0;  ///< of its first character, from 1
  std::vector<std::optional<std::string>> fields;
};

/// Reads comma-separated values (RFC 4180), or those with another `separator`: fields in double quotes may hold
/// separators, line ends and doubled quotes. Takes every kind of line end and a byte order mark, skips blank lines.
/// Throws UsageError naming the line of a quoted field that is never closed.
std::vector<CsvRecord> parse_csv(std::string_view text, char separator = ',');

}  // namespace mdl::worker::dataset
