#include "launcher/flight/rank_list.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/str_cat.hpp"

namespace mdl::launcher::flight {
namespace {

constexpr std::size_t kMostRuns = 8;
constexpr std::int64_t kLargestRank = std::int64_t{1} << 40;

/// Ranks that follow each other in equal steps.
struct Run {
  std::int64_t first = 0, last = 0, step = 1;
};

/// `any_step`: also with other steps than 1, from three ranks on.
std::vector<Run> runs_of(const std::vector<std::int64_t>& ranks, bool any_step) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < ranks.size();) {
    const std::int64_t step = i + 1 < ranks.size() ? ranks[i + 1] - ranks[i] : 1;
    std::size_t end = i + 1;
    while (end < ranks.size() && ranks[end] - ranks[end - 1] == step) { ++end; }
    if (step != 1 && (!any_step || end - i < 3)) { end = i + 1; }
    runs.push_back({ranks[i], ranks[end - 1], end - i > 1 ? step : 1});
    i = end;
  }
  return runs;
}

/// Takes a number off the front of `text`.
std::optional<std::int64_t> take_rank(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > kLargestRank) { return std::nullopt; }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_sign(std::string_view& text, char sign) {
  if (text.empty() || text.front() != sign) { return false; }
  text.remove_prefix(1);
  return true;
}

std::optional<Run> take_run(std::string_view& text) {
  const auto first = take_rank(text);
  if (!first) { return std::nullopt; }
  Run run{*first, *first, 1};
  if (!take_sign(text, '-')) { return run; }
  const auto last = take_rank(text);
  if (!last || *last < *first) { return std::nullopt; }
  run.last = *last;
  if (!take_sign(text, '/')) { return run; }
  const auto step = take_rank(text);
  if (!step || *step == 0) { return std::nullopt; }
  run.step = *step;
  return run;
}

}  // namespace

std::string ranks_in_words(const std::vector<std::int64_t>& ranks) {
  if (ranks.empty()) { return "no rank"; }
  if (ranks.size() == 1) { return str_cat("rank ", grouped_digits(ranks.front())); }
  std::string text = "ranks ";
  std::size_t shown = 0, told = 0;
  for (const Run& run : runs_of(ranks, false)) {
    const std::int64_t size = run.last - run.first + 1;
    if (++shown > kMostRuns) { break; }
    if (shown > 1) { text += ", "; }
    text += grouped_digits(run.first);
    if (size > 1) { text += str_cat(size > 2 ? " to " : ", ", grouped_digits(run.last)); }
    told += static_cast<std::size_t>(size);
  }
  if (told < ranks.size()) {
    text += str_cat(" and ", grouped_digits(std::ssize(ranks) - std::int64_t(told)), " more");
  }
  return text;
}

std::string ranks_to_text(const std::vector<std::int64_t>& ranks) {
  std::string text;
  for (const Run& run : runs_of(ranks, true)) {
    text += str_cat(text.empty() ? "" : ",", run.first);
    if (run.last > run.first) { text += str_cat("-", run.last); }
    if (run.step > 1) { text += str_cat("/", run.step); }
  }
  return text;
}

std::vector<std::int64_t> ranks_from_text(std::string_view text, std::size_t most) {
  std::vector<std::int64_t> ranks;
  while (!text.empty()) {
    const auto run = take_run(text);
    if (!run || (!ranks.empty() && run->first <= ranks.back())) { return {}; }
    const auto more = static_cast<std::size_t>((run->last - run->first) / run->step) + 1;
    if (more > most - ranks.size()) { return {}; }
    for (std::int64_t rank = run->first; rank <= run->last; rank += run->step) { ranks.push_back(rank); }
    if (!text.empty() && (!take_sign(text, ',') || text.empty())) { return {}; }
  }
  return ranks;
}

std::string grouped_digits(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

}  // namespace mdl::launcher::flight
