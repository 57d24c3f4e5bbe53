#include "launcher/progress/job_event.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launcher/output/printable.hpp"

namespace mdl::launcher::progress {
namespace {
using nlohmann::json;

constexpr int kEventVersion = 1;
constexpr std::size_t kLongestKind = 32;
constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLargestEvent = 16 * 1024;
constexpr std::int64_t kLatest = std::int64_t{1} << 43;  // the year 2248

bool is_event_number(const json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() < (std::uint64_t{1} << 62);
}

std::string event_word(const json& value, std::size_t most) {
  return output::printable(value.get_ref<const std::string&>(), most);
}

json named_ranks(const std::vector<std::int64_t>& ranks) {
  json array = json::array();
  for (const std::int64_t rank : ranks) {
    if (array.size() < kMostNamedRanks) { array.push_back(rank); }
  }
  return array;
}

std::vector<std::int64_t> named_ranks_from(const json& array) {
  std::vector<std::int64_t> ranks;
  for (const json& rank : array) {
    if (is_event_number(rank) && ranks.size() < kMostNamedRanks) { ranks.push_back(rank); }
  }
  return ranks;
}

/// nullopt where there is none.
std::optional<std::int64_t> event_number_in(const json& object, const char* name) {
  const json number = object.value(name, json());
  return is_event_number(number) ? std::optional(number.get<std::int64_t>()) : std::nullopt;
}

json to_json(const HangFacts& hang) {
  json object = {
      {"since", hang.since.time_since_epoch().count()}, {"ranks", named_ranks(hang.ranks)}, {"round", hang.round}};
  if (hang.step) { object["step"] = *hang.step; }
  return object;
}

json to_json(const SlowFacts& slow) {
  return {{"round", slow.round}, {"ranks", named_ranks(slow.ranks)}};
}

/// nullopt when it is something else.
std::optional<HangFacts> hang_from_json(const json& object) {
  if (!object.is_object()) { return std::nullopt; }
  const auto since = event_number_in(object, "since");
  const auto round = event_number_in(object, "round");
  const json ranks = object.value("ranks", json());
  if (!since || !round || !ranks.is_array()) { return std::nullopt; }
  return HangFacts{NodeTime(std::chrono::milliseconds(std::min(*since, kLatest))), named_ranks_from(ranks), *round,
                   event_number_in(object, "step")};
}

/// The same.
std::optional<SlowFacts> slow_from_json(const json& object) {
  if (!object.is_object()) { return std::nullopt; }
  const auto round = event_number_in(object, "round");
  const json ranks = object.value("ranks", json());
  if (!round || !ranks.is_array()) { return std::nullopt; }
  return SlowFacts{*round, named_ranks_from(ranks)};
}

}  // namespace

std::string to_text(const JobEvent& event) {
  json array = json::array();
  array.push_back(kEventVersion);
  array.push_back(event.number);
  array.push_back(event.at.time_since_epoch().count());
  array.push_back(output::printable(event.host, kLongestName));
  array.push_back(event.kind);
  array.push_back(output::printable(event.text, kLongestEventText));
  if (event.hang) { array.push_back(to_json(*event.hang)); }
  if (event.slow && !event.hang) { array.push_back(to_json(*event.slow)); }
  return array.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<JobEvent> job_event_from_text(std::string_view text) {
  if (text.size() > kLargestEvent) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  if (!array.is_array() || array.size() < 6 || array[0] != kEventVersion || !is_event_number(array[1]) ||
      !is_event_number(array[2]) || !array[3].is_string() || !array[4].is_string() || !array[5].is_string()) {
    return std::nullopt;
  }
  JobEvent event;
  event.number = array[1].get<std::int64_t>();
  event.at = NodeTime(std::chrono::milliseconds(std::min(array[2].get<std::int64_t>(), kLatest)));
  event.host = event_word(array[3], kLongestName);
  event.kind = event_word(array[4], kLongestKind);
  event.text = event_word(array[5], kLongestEventText);
  if (array.size() > 6) {
    if (event.kind == kHangKind) { event.hang = hang_from_json(array[6]); }
    if (event.kind == kStragglerKind || event.kind == kRecoveredKind) { event.slow = slow_from_json(array[6]); }
  }
  return event;
}

std::map<std::int64_t, bool> told_slow(const std::vector<JobEvent>& events, std::int64_t round) {
  std::map<std::int64_t, bool> told;
  for (const JobEvent& event : events) {
    if (!event.slow || event.slow->round != round) { continue; }
    for (const std::int64_t rank : event.slow->ranks) { told[rank] = event.kind == kStragglerKind; }
  }
  return told;
}

}  // namespace mdl::launcher::progress
