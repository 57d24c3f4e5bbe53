#include "launcher/accelerate/nearest_name.hpp"

#include <algorithm>
#include <numeric>

namespace mdl::launcher::accelerate {
namespace {

/// Levenshtein distance: insertions, removals and replacements of one letter.
size_t edits_between(std::string_view from, std::string_view to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < to.size(); ++j) {
      size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t fewest = 0;
  for (const std::string& candidate : candidates) {
    size_t edits = edits_between(name, candidate);
    if (edits <= std::max<size_t>(1, candidate.size() / 3) && (nearest.empty() || edits < fewest)) {
      nearest = candidate;
      fewest = edits;
    }
  }
  return nearest;
}

}  // namespace mdl::launcher::accelerate
