#include "launcher/flight/group_view.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/str_cat.hpp"
#include "launcher/flight/entry_choice.hpp"
#include "launcher/flight/rank_list.hpp"

namespace mdl::launcher::flight {
namespace {

using Ranks = GroupView::Ranks;
/// Library, name, ranks: torch may give one name to groups of different ranks.
using GroupKey = std::tuple<std::string, std::string, Ranks>;

constexpr const char* kDefaultGroup = "default_pg";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What the sizes and types of an operation say, as far as they must be the same on all ranks.
std::string way_of(const FlightEntry& entry) {
  const std::string_view operation = entry.operation;
  // Ranks may bring different sizes, or one of them has what the others have not.
  const bool uneven = contains(operation, "all_to_all") || contains(operation, "_v");
  const bool from_one = operation == "scatter" || operation == "_scatter_oop";
  const bool to_one = operation == "gather" || operation == "_gather_oop";
  std::string text = entry.operation;
  if (!uneven && !from_one) { text += str_cat(" of ", entry.input_sizes); }
  const bool says_outputs = from_one || entry.output_sizes != entry.input_sizes;
  if (!uneven && !to_one && says_outputs) { text += str_cat(" to ", entry.output_sizes); }
  if (!from_one && !to_one && !contains(operation, "broadcast")) { text += str_cat(" ", entry.types); }
  return text;
}

std::optional<std::int64_t> first_pending_of(const FlightGroup& group) {
  std::optional<std::int64_t> first;
  for (const FlightEntry& entry : group.entries) {
    if (!entry.p2p && is_pending(entry) && (!first || entry.sequence < *first)) { first = entry.sequence; }
  }
  return first;
}

void find_first_pending(GroupView& view) {
  for (const auto& [rank, group] : view.recorded) {
    const auto pending = group ? first_pending_of(*group) : std::nullopt;
    if (pending && (!view.sequence || *pending < *view.sequence)) { view.sequence = pending; }
  }
}

/// Sorts the ranks by how they stand to the first collective that is not done.
void sort_ranks(GroupView& view) {
  std::map<std::string, std::size_t> names;
  for (const auto& [rank, group] : view.recorded) {
    const FlightEntry* const entry = view.find(rank, *view.sequence);
    if (entry) {
      view.ways[way_of(*entry)].push_back(rank);
      ++names[entry->operation];
    }
    if (entry ? is_pending(*entry) : false) {
      view.waiting.push_back(rank);
    } else if (!group || group->enqueued.value_or(0) < *view.sequence) {
      view.behind.push_back(rank);
    } else {
      view.past.push_back(rank);
    }
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  view.operation = operation_in_words(std::max_element(names.begin(), names.end(), fewer)->first, *view.sequence);
}

/// torch's dumps of Gloo name the ranks of no group; of the default one they are all.
Ranks ranks_of_group(const FlightGroup& group, std::int64_t world_size) {
  if (!group.ranks.empty() || group.description != kDefaultGroup) { return group.ranks; }
  Ranks all(static_cast<std::size_t>(std::max<std::int64_t>(world_size, 0)));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::string name_of(const FlightGroup& group) {
  std::string text = str_cat("process group ", group.name);
  if (!group.description.empty() && group.description != group.name) { text += str_cat(" (", group.description, ")"); }
  return text;
}

}  // namespace

const FlightEntry* GroupView::find(std::int64_t rank, std::int64_t number) const {
  const auto found = recorded.find(rank);
  if (found == recorded.end() || !found->second) { return nullptr; }
  const auto& entries = found->second->entries;
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const FlightEntry& each) { return !each.p2p && each.sequence == number; });
  return entry == entries.end() ? nullptr : &*entry;
}

std::string operation_in_words(const std::string& operation, std::int64_t sequence) {
  std::string word = operation.substr(std::min(operation.find_first_not_of('_'), operation.size()));
  for (char& c : word) { c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
  return str_cat(word.empty() ? "operation" : word, " ", grouped_digits(sequence));
}

std::vector<GroupView> group_views(const std::map<std::int64_t, FlightRecord>& records, std::int64_t world_size) {
  std::map<GroupKey, GroupView> by_key;
  for (const auto& [rank, record] : records) {
    for (const FlightGroup& group : record.groups) {
      if (group.entries.empty() && !group.enqueued) { continue; }  // nothing was done there so far
      GroupView& view = by_key[{group.library, group.name, ranks_of_group(group, world_size)}];
      view.recorded[rank] = &group;
      if (view.name.empty()) { view.name = name_of(group); }
    }
  }
  std::vector<GroupView> views;
  for (auto& [key, view] : by_key) {
    for (const std::int64_t rank : std::get<Ranks>(key)) {
      if (records.find(rank) != records.end()) {
        view.recorded.try_emplace(rank, nullptr);
      } else if (rank < world_size) {
        view.unrecorded.push_back(rank);
      }
    }
    find_first_pending(view);
    if (view.sequence) { sort_ranks(view); }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace mdl::launcher::flight
