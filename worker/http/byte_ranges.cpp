#include "worker/http/byte_ranges.hpp"

#include <algorithm>

#include "common/parse_number.hpp"
#include "common/str_cat.hpp"

namespace mdl::worker::http {

std::int64_t ByteRanges::add(ByteRange range) {
  if (range.end <= range.begin) { return 0; }
  const std::int64_t before = total_;
  auto next = ranges_.upper_bound(range.begin);
  if (next != ranges_.begin() && std::prev(next)->second >= range.begin) { --next; }
  while (next != ranges_.end() && next->first <= range.end) {
    range = {std::min(range.begin, next->first), std::max(range.end, next->second)};
    total_ -= next->second - next->first;
    next = ranges_.erase(next);
  }
  ranges_[range.begin] = range.end;
  total_ += range.size();
  return total_ - before;
}

std::vector<ByteRange> ByteRanges::all() const {
  std::vector<ByteRange> ranges;
  for (const auto& [begin, end] : ranges_) { ranges.push_back({begin, end}); }
  return ranges;
}

std::vector<ByteRange> ByteRanges::missing(std::int64_t size) const {
  std::vector<ByteRange> gaps;
  std::int64_t done = 0;
  for (const auto& [begin, end] : ranges_) {
    if (begin > done) { gaps.push_back({done, begin}); }
    done = end;
  }
  if (done < size) { gaps.push_back({done, size}); }
  return gaps;
}

std::string record_line(ByteRange range) {
  return str_cat(range.begin, " ", range.end, "\n");
}

ByteRanges parse_record(std::string_view text, std::int64_t size) {
  ByteRanges ranges;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos || blank == 0 || blank + 1 == line.size()) { break; }
    const auto first = parse_digits<std::int64_t>(line.substr(0, blank));
    const auto last = parse_digits<std::int64_t>(line.substr(blank + 1));
    if (!first || !last || *last <= *first || *last > size) { break; }
    ranges.add({*first, *last});
  }
  return ranges;
}

std::vector<ByteRange> in_pieces(ByteRange range, int count, std::int64_t least) {
  const std::int64_t pieces = std::clamp<std::int64_t>(range.size() / std::max<std::int64_t>(least, 1), 1, count);
  std::vector<ByteRange> parts;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const std::int64_t size = range.size() / pieces;
    const std::int64_t begin = range.begin + i * size;
    parts.push_back({begin, i + 1 == pieces ? range.end : begin + size});
  }
  return parts;
}

}  // namespace mdl::worker::http
