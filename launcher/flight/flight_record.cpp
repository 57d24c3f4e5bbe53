#include "launcher/flight/flight_record.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/json_nesting.hpp"
#include "launcher/flight/entry_choice.hpp"
#include "launcher/flight/flight_limits.hpp"
#include "launcher/flight/rank_list.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::flight {
namespace {
using nlohmann::json;

// [1, version of the dump, [group, group, …]]; a group is [library, name, description, ranks, enqueued, started,
// completed, [entry, entry, …]], an entry [sequence, operation, state + 4 where it is send or receive, input sizes,
// output sizes, types, created (ms)]. Output sizes that are the input's are null. What comes behind is of later
// programs.
constexpr int kFlightTextVersion = 1;
constexpr int kP2pFlag = 4;
constexpr std::size_t kLongestRanksText = 400;
constexpr std::size_t kMostTextNesting = 8;
constexpr std::size_t kMostTextRanks = 8192;  // of all groups: a short text can name many
constexpr std::int64_t kNsPerMs = 1'000'000;

json number_or_null(const std::optional<std::int64_t>& value) {
  return value ? json(*value) : json();
}

json entry_to_json(const FlightEntry& entry) {
  json array = json::array();
  array.push_back(entry.sequence);
  array.push_back(entry.operation);
  array.push_back(static_cast<int>(entry.state) + (entry.p2p ? kP2pFlag : 0));
  array.push_back(entry.input_sizes);
  array.push_back(entry.output_sizes == entry.input_sizes ? json() : json(entry.output_sizes));
  array.push_back(entry.types);
  array.push_back(entry.created_ns / kNsPerMs);
  return array;
}

json group_to_json(const FlightGroup& group, std::size_t most_entries) {
  std::string ranks = ranks_to_text(group.ranks);
  if (ranks.size() > kLongestRanksText) { ranks.clear(); }
  json entries = json::array();
  for (const FlightEntry& entry : choose_entries(group.entries, most_entries)) {
    entries.push_back(entry_to_json(entry));
  }
  json array = json::array();
  array.push_back(group.library);
  array.push_back(group.name);
  array.push_back(group.description);
  array.push_back(std::move(ranks));
  array.push_back(number_or_null(group.enqueued));
  array.push_back(number_or_null(group.started));
  array.push_back(number_or_null(group.completed));
  array.push_back(std::move(entries));
  return array;
}

std::string record_to_json(const FlightRecord& record, std::size_t most_groups, std::size_t most_entries) {
  json groups = json::array();
  for (std::size_t i = 0; i < std::min(record.groups.size(), most_groups); ++i) {
    groups.push_back(group_to_json(record.groups[i], most_entries));
  }
  json array = json::array();
  array.push_back(kFlightTextVersion);
  array.push_back(record.version);
  array.push_back(std::move(groups));
  return array.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool has_pending(const FlightGroup& group) {
  return std::any_of(group.entries.begin(), group.entries.end(), is_pending);
}

/// Reads an array's fields one after the other; what is not as it must be makes it bad.
class FlightFields {
 public:
  explicit FlightFields(const json& array) : array_(array), good_(array.is_array()) {}

  std::string text(std::size_t most) {
    const json& field = next();
    if (!field.is_string()) {
      good_ = false;
      return {};
    }
    return output::printable(field.get_ref<const std::string&>(), most);
  }
  std::optional<std::int64_t> number_or_nothing() {
    const json& field = next();
    if (field.is_null()) { return std::nullopt; }
    const auto number = flight_number(field);
    if (!number) { good_ = false; }
    return number;
  }
  std::int64_t number() {
    const auto value = number_or_nothing();
    if (!value) { good_ = false; }
    return value.value_or(0);
  }
  const json& next() {
    static const json none;
    if (!array_.is_array() || at_ >= array_.size()) {
      good_ = false;
      return none;
    }
    return array_[at_++];
  }
  /// Whether all was there so far.
  bool good() const { return good_; }

 private:
  const json& array_;
  std::size_t at_ = 0;
  bool good_;
};

std::optional<FlightEntry> entry_from_json(const json& array) {
  FlightFields fields(array);
  FlightEntry entry;
  entry.sequence = fields.number();
  entry.operation = fields.text(kLongestOperation);
  const std::int64_t flags = fields.number();
  entry.input_sizes = fields.text(kLongestSizes);
  const json& output = fields.next();
  entry.output_sizes =
      output.is_string() ? output::printable(output.get_ref<const std::string&>(), kLongestSizes) : entry.input_sizes;
  entry.types = fields.text(kLongestTypes);
  entry.created_ns = std::min(fields.number(), kLargestFlightNumber / kNsPerMs) * kNsPerMs;
  if (!fields.good() || (flags & ~std::int64_t{kP2pFlag}) > 2) { return std::nullopt; }
  entry.p2p = (flags & kP2pFlag) != 0;
  entry.state = static_cast<FlightState>(flags & ~std::int64_t{kP2pFlag});
  return entry;
}

/// `room`: for so many ranks.
std::optional<FlightGroup> group_from_json(const json& array, std::size_t room) {
  FlightFields fields(array);
  FlightGroup group;
  group.library = fields.text(kLongestName);
  group.name = fields.text(kLongestName);
  group.description = fields.text(kLongestName);
  group.ranks = ranks_from_text(fields.text(kLongestRanksText), room);
  group.enqueued = fields.number_or_nothing();
  group.started = fields.number_or_nothing();
  group.completed = fields.number_or_nothing();
  const json& entries = fields.next();
  if (!fields.good() || !entries.is_array() || entries.size() > FlightRecord::kMostEntries) { return std::nullopt; }
  for (const json& each : entries) {
    auto entry = entry_from_json(each);
    if (!entry) { return std::nullopt; }
    group.entries.push_back(std::move(*entry));
  }
  return group;
}

}  // namespace

std::optional<std::int64_t> flight_number(const json& value) {
  if (!value.is_number_integer()) { return std::nullopt; }
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestFlightNumber)) {
    return std::nullopt;
  }
  const auto number = value.get<std::int64_t>();
  return number < 0 ? std::nullopt : std::optional(number);
}

std::string to_text(const FlightRecord& record) {
  FlightRecord sorted = record;
  std::stable_partition(sorted.groups.begin(), sorted.groups.end(), has_pending);
  const std::size_t all = sorted.groups.size();
  for (const std::size_t most_entries : {16, 8, 6, 4, 3, 2, 1}) {
    std::string text = record_to_json(sorted, all, most_entries);
    if (text.size() <= kLargestFlightText) { return text; }
  }
  for (std::size_t groups = all; groups > 0; --groups) {
    std::string text = record_to_json(sorted, groups, 1);
    if (text.size() <= kLargestFlightText) { return text; }
  }
  return record_to_json(sorted, 0, 0);
}

std::optional<FlightRecord> flight_record_from_text(std::string_view text) {
  if (text.size() > 2 * kLargestFlightText || json_nesting(text) > kMostTextNesting) { return std::nullopt; }
  const json array = json::parse(text, nullptr, false);
  FlightFields fields(array);
  if (fields.next() != kFlightTextVersion) { return std::nullopt; }
  FlightRecord record;
  record.version = fields.text(kLongestName);
  const json& groups = fields.next();
  if (!fields.good() || !groups.is_array() || groups.size() > FlightRecord::kMostGroups) { return std::nullopt; }
  std::size_t room = kMostTextRanks;
  for (const json& each : groups) {
    auto group = group_from_json(each, room);
    if (!group) { return std::nullopt; }
    room -= group->ranks.size();
    record.groups.push_back(std::move(*group));
  }
  return record;
}

void merge(FlightRecord& record, FlightRecord other) {
  if (record.version.empty()) { record.version = std::move(other.version); }
  const std::size_t room = FlightRecord::kMostGroups - std::min(FlightRecord::kMostGroups, record.groups.size());
  if (other.groups.size() > room) { other.groups.resize(room); }
  std::move(other.groups.begin(), other.groups.end(), std::back_inserter(record.groups));
}

}  // namespace mdl::launcher::flight
