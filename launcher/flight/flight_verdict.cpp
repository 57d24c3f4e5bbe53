#include "launcher/flight/flight_verdict.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "common/str_cat.hpp"
#include "launcher/flight/entry_choice.hpp"
#include "launcher/flight/group_view.hpp"
#include "launcher/flight/rank_list.hpp"

namespace mdl::launcher::flight {
namespace {

using Ranks = GroupView::Ranks;
using Finding = FlightVerdict::Finding;
using Views = std::vector<GroupView>;

constexpr std::size_t kMostParts = 4;  // of a sentence: ranks that differ in more ways are not told one by one

/// "a; b; c and 5 more".
class Parts {
 public:
  void add(const std::string& part) {
    if (++count_ <= kMostParts) { text_ += str_cat(count_ > 1 ? "; " : "", part); }
  }
  std::string text() const {
    return count_ <= kMostParts ? text_ : str_cat(text_, " and ", count_ - kMostParts, " more");
  }

 private:
  std::string text_{};
  std::size_t count_ = 0;
};

std::string verb(const Ranks& ranks, const char* for_one, const char* for_many) {
  return str_cat(ranks_in_words(ranks), " ", ranks.size() == 1 ? for_one : for_many);
}

/// " of process group 0 (default_pg)" where there are several.
std::string of_group(const GroupView& view, const Views& views) {
  return views.size() > 1 ? str_cat(" of ", view.name) : std::string();
}

/// The ranks of the rarest way; none where two are as rare.
Ranks odd_ones(const GroupView& view) {
  const auto fewer = [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); };
  const auto rarest = std::min_element(view.ways.begin(), view.ways.end(), fewer);
  for (auto way = view.ways.begin(); way != view.ways.end(); ++way) {
    if (way != rarest && way->second.size() <= rarest->second.size()) { return {}; }
  }
  return rarest->second;
}

std::string behind_text(const GroupView& view, const Views& views) {
  return str_cat(ranks_in_words(view.behind), " did not reach ", view.operation, of_group(view, views), ", in which ",
                 verb(view.waiting, "waits", "wait"));
}

std::string mismatch_text(const GroupView& view, const Views& views) {
  const Ranks odd = odd_ones(view);
  std::map<std::int64_t, std::string> by_first_rank;
  for (const auto& [way, ranks] : view.ways) {
    by_first_rank[ranks.front()] = str_cat(ranks_in_words(ranks), " ", way);
  }
  Parts parts;
  for (const auto& [rank, text] : by_first_rank) { parts.add(text); }
  return str_cat(odd.empty() ? "ranks differ" : verb(odd, "does something else", "do something else"), " in ",
                 view.operation, of_group(view, views), ": ", parts.text());
}

std::string unrecorded_text(const GroupView& view, const Views& views) {
  return str_cat(verb(view.waiting, "waits", "wait"), " in ", view.operation, of_group(view, views),
                 "; there is no record of ", ranks_in_words(view.unrecorded));
}

std::string together_text(const GroupView& view, const Views& views) {
  return str_cat("nothing tells ranks apart: ", verb(view.waiting, "waits", "wait"), " in ", view.operation,
                 of_group(view, views), ", and no rank of that group is missing there");
}

/// Who waits, and in which group.
std::map<std::int64_t, const GroupView*> waiting_ranks(const Views& views) {
  std::map<std::int64_t, const GroupView*> waiting;
  for (const GroupView& view : views) {
    for (const std::int64_t rank : view.waiting) { waiting.emplace(rank, &view); }
  }
  return waiting;
}

FlightVerdict verdict_of(Finding finding, std::string headline, Ranks ranks) {
  FlightVerdict verdict;
  verdict.finding = finding;
  verdict.headline = std::move(headline);
  verdict.ranks = std::move(ranks);
  return verdict;
}

std::optional<FlightVerdict> find_mismatch(const Views& views) {
  for (const GroupView& view : views) {
    if (view.ways.size() > 1) { return verdict_of(Finding::mismatch, mismatch_text(view, views), odd_ones(view)); }
  }
  return std::nullopt;
}

/// The group that somebody who waits nowhere else has not come to.
std::optional<FlightVerdict> find_behind(const Views& views) {
  const auto waiting = waiting_ranks(views);
  for (const GroupView& view : views) {
    Ranks free;
    std::copy_if(view.behind.begin(), view.behind.end(), std::back_inserter(free),
                 [&](std::int64_t rank) { return waiting.find(rank) == waiting.end(); });
    if (!free.empty()) { return verdict_of(Finding::behind, behind_text(view, views), free); }
  }
  return std::nullopt;
}

std::optional<FlightVerdict> find_unrecorded(const Views& views) {
  for (const GroupView& view : views) {
    if (view.sequence && view.behind.empty() && !view.unrecorded.empty()) {
      return verdict_of(Finding::unrecorded, unrecorded_text(view, views), view.unrecorded);
    }
  }
  return std::nullopt;
}

/// Ranks that wait for each other: from one that waits to the first one that has not come there, and so on.
std::optional<FlightVerdict> find_circle(const Views& views) {
  const auto waiting = waiting_ranks(views);
  for (const auto& [start, first_view] : waiting) {
    Ranks path;
    Parts parts;
    std::int64_t rank = start;
    while (std::find(path.begin(), path.end(), rank) == path.end()) {
      const auto found = waiting.find(rank);
      if (found == waiting.end() || found->second->behind.empty()) { break; }
      path.push_back(rank);
      const std::int64_t next = found->second->behind.front();
      parts.add(str_cat("rank ", grouped_digits(rank), " for rank ", grouped_digits(next), " in ",
                        found->second->operation, of_group(*found->second, views)));
      rank = next;
    }
    if (rank == start && path.size() > 1) {
      std::sort(path.begin(), path.end());
      return verdict_of(Finding::circle, "ranks wait for each other: " + parts.text(), path);
    }
  }
  return std::nullopt;
}

std::optional<FlightVerdict> find_together(const Views& views) {
  for (const GroupView& view : views) {
    if (view.sequence) { return verdict_of(Finding::together, together_text(view, views), {}); }
  }
  return std::nullopt;
}

/// "rank 0 waits in send 0->1 of process group 0".
void tell_p2p(const GroupView& view, std::vector<std::string>& details) {
  for (const auto& [rank, group] : view.recorded) {
    if (!group) { continue; }
    const auto found = std::find_if(group->entries.begin(), group->entries.end(),
                                    [](const FlightEntry& entry) { return entry.p2p && is_pending(entry); });
    if (found == group->entries.end()) { continue; }
    details.push_back(str_cat("rank ", grouped_digits(rank), " waits in ", found->operation, " of ", view.name));
  }
}

/// "ranks 0 to 2 have come to 1,204; rank 3 to 1,203", of the collectives of a group.
std::string lasts_text(const GroupView& view) {
  std::map<std::int64_t, Ranks, std::greater<>> by_last;
  for (const auto& [rank, group] : view.recorded) { by_last[group ? group->enqueued.value_or(0) : 0].push_back(rank); }
  Parts parts;
  for (const auto& [last, ranks] : by_last) {
    const std::string where = last > 0 ? "the last of " : "none of ";
    parts.add(str_cat(where, ranks_in_words(ranks), last > 0 ? str_cat(" is ", grouped_digits(last)) : ""));
  }
  return parts.text();
}

/// "process group 0: ranks 0 to 2 wait in all-reduce 1,204; the last of ranks 0 to 2 is 1,204; the last of rank 3 is
/// 1,203".
std::string group_text(const GroupView& view) {
  std::string text = str_cat(view.name, ": ");
  text += view.sequence ? str_cat(verb(view.waiting, "waits", "wait"), " in ", view.operation) : "nobody waits";
  if (!view.past.empty()) { text += str_cat("; it is done on ", ranks_in_words(view.past)); }
  text += str_cat("; ", lasts_text(view));
  if (!view.unrecorded.empty()) { text += str_cat("; no record of ", ranks_in_words(view.unrecorded)); }
  return text;
}

Ranks without_record(const std::map<std::int64_t, FlightRecord>& records, std::int64_t world_size) {
  Ranks missing;
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    if (records.find(rank) == records.end()) { missing.push_back(rank); }
  }
  return missing;
}

}  // namespace

FlightVerdict flight_verdict(const std::map<std::int64_t, FlightRecord>& records, std::int64_t world_size) {
  if (records.empty()) { return verdict_of(Finding::nothing, "no rank has a record of its collectives", {}); }
  const Views views = group_views(records, world_size);
  std::optional<FlightVerdict> verdict;
  for (const auto find : {find_behind, find_mismatch, find_unrecorded, find_circle, find_together}) {
    if (!verdict) { verdict = find(views); }
  }
  const Ranks missing = without_record(records, world_size);
  if (!verdict) {
    std::string text = "no rank waits in a collective";
    if (!missing.empty()) { text += str_cat("; there is no record of ", ranks_in_words(missing)); }
    verdict = verdict_of(Finding::idle, std::move(text), {});
  }
  for (const GroupView& view : views) {
    if (view.ways.size() > 1) { verdict->details.push_back(mismatch_text(view, views)); }
    verdict->details.push_back(group_text(view));
    tell_p2p(view, verdict->details);
  }
  if (!missing.empty()) { verdict->details.push_back(str_cat("no record of ", ranks_in_words(missing))); }
  if (verdict->details.size() > FlightVerdict::kMostDetails) { verdict->details.resize(FlightVerdict::kMostDetails); }
  return std::move(*verdict);
}

}  // namespace mdl::launcher::flight
