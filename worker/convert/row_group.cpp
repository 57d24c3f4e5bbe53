#include "worker/convert/row_group.hpp"

#include <algorithm>

namespace mdl::worker::convert {

RowGroup convert_group(std::span<const Row> rows, const RowReader& reader, const ConvertOptions& options) {
  RowGroup group;
  std::vector<ConvertedRow> converted;
  for (const Row& row : rows) {
    try {
      converted.push_back(reader.read(row));
    } catch (const std::exception& error) { group.problems.push_back({row.number, row.line, problem_of(row, error)}); }
  }
  const bool usable = group.problems.empty() || (options.skip_bad_rows && !converted.empty());
  if (usable) { group.batch = make_record_batch(converted, reader.processor().pad_token(), options.encoding); }
  return group;
}

std::int64_t group_bytes(std::span<const CheckedRow> rows, AudioEncoding encoding) {
  std::int64_t tokens = 0, longest = 0, all = 0;
  for (const CheckedRow& row : rows) {
    tokens = std::max(tokens, row.tokens);
    longest = std::max(longest, row.samples);
    all += row.samples;
  }
  constexpr std::int64_t kTokenBytes = 4 + 1 + 8, kRowBytes = 8 + 4 * 4;
  const std::int64_t audio = encoding == AudioEncoding::pcm16 ? 2 * all : 4 * longest * std::ssize(rows);
  return audio + std::ssize(rows) * (tokens * kTokenBytes + kRowBytes);
}

}  // namespace mdl::worker::convert
