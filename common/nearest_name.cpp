#include "common/nearest_name.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "common/str_cat.hpp"

namespace mdl {
namespace {

char folded(char c) {
  if (c == '_') { return '-'; }
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string folded(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return folded(c); });
  return result;
}

/// The optimal string alignment distance, from three rows of its table.
std::size_t typing_errors(const std::string& from, const std::string& to) {
  std::vector<std::size_t> before_last(to.size() + 1);
  std::vector<std::size_t> last(to.size() + 1);
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view typed, std::span<const std::string> names) {
  const std::string wanted = folded(typed);
  const std::size_t most = std::max<std::size_t>(1, wanted.size() / 3);
  std::optional<std::string> nearest;
  std::size_t fewest = 0;
  for (const std::string& name : names) {
    const std::size_t errors = typing_errors(wanted, folded(name));
    const bool alike = errors <= most && errors < std::min(wanted.size(), name.size());
    if (alike && (!nearest || errors < fewest)) {
      nearest = name;
      fewest = errors;
    }
  }
  return nearest;
}

std::string did_you_mean(std::string_view typed, std::span<const std::string> names, std::string_view dashes) {
  const auto nearest = nearest_name(typed, names);
  return nearest ? str_cat("Did you mean ", dashes, *nearest, "? ") : std::string();
}

}  // namespace mdl
