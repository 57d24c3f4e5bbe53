#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "worker/http/exchange.hpp"

namespace mdl::worker::http {

/// Which bytes of a file are there.
class ByteRanges {
 public:
  /// Returns how many of them were not there before.
  std::int64_t add(ByteRange range);
  std::int64_t total() const { return total_; }
  /// From the first to the last; they neither overlap nor touch.
  std::vector<ByteRange> all() const;
  /// What is missing of a file of `size` bytes, from its beginning to its end.
  std::vector<ByteRange> missing(std::int64_t size) const;

 private:
  std::map<std::int64_t, std::int64_t> ranges_;  ///< begin -> end; they neither overlap nor touch
  std::int64_t total_ = 0;
};

/// A line of the record beside a part file: "BEGIN END\n".
std::string record_line(ByteRange range);

/// What a record says of a file of `size` bytes. Lines are appended while the file grows, so what a kill has torn is
/// the last one: it does not count, nor does anything from the first line on that makes no sense.
ByteRanges parse_record(std::string_view text, std::int64_t size);

/// `range` in at most `count` pieces of about the same size, none smaller than `least` (but one that is the whole).
std::vector<ByteRange> in_pieces(ByteRange range, int count, std::int64_t least);

}  // namespace mdl::worker::http
