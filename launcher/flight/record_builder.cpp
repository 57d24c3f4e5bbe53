#include "launcher/flight/record_builder.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/str_cat.hpp"
#include "launcher/flight/entry_choice.hpp"
#include "launcher/flight/flight_limits.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::flight {
namespace {
using nlohmann::json;

constexpr std::size_t kMostBuiltEntries = 32'768;  // of one group while the dump is read
constexpr std::size_t kMostTensors = 4096;
/// Whose operations torch marks as completed; of other libraries it only says that they are retired.
constexpr std::string_view kNccl = "nccl";
/// What torch calls a group without a description.
constexpr std::string_view kUndefined = "undefined";

const json& field_of(const json& object, const char* name) {
  static const json none;
  const auto found = object.find(name);
  return found == object.end() ? none : *found;
}

std::string text_of(const json& value, std::size_t most) {
  return value.is_string() ? output::printable(value.get_ref<const std::string&>(), most) : std::string();
}

std::string description_of(const json& value) {
  std::string text = text_of(value, kLongestName);
  return text == kUndefined ? std::string() : text;
}

/// "[0, 1, 2]", or a list.
std::vector<std::int64_t> ranks_of(const json& value) {
  std::vector<std::int64_t> ranks;
  const json list = value.is_string() ? json::parse(value.get_ref<const std::string&>(), nullptr, false) : value;
  if (!list.is_array() || list.size() > FlightRecord::kMostRanks) { return {}; }
  for (const json& each : list) {
    const auto rank = flight_number(each);
    if (!rank) { return {}; }
    ranks.push_back(*rank);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

/// A text that is too long is cut, and ends in a hash (FNV-1a) of it all.
std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) { return text; }
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) { hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U; }
  char digits[16] = {};
  const auto end = std::to_chars(digits, digits + sizeof digits, hash, 16).ptr;
  const std::string tail = str_cat("... #", std::string_view(digits, static_cast<std::size_t>(end - digits)));
  text.resize(most - tail.size());
  return text + tail;
}

std::string list_text(const json& list) {
  std::string text = "[";
  for (const json& each : list) {
    const auto number = flight_number(each);
    if (text.size() > 1) { text += ", "; }
    text += number ? std::to_string(*number) : "?";
  }
  return text + "]";
}

/// "[[1024], [5, 3]]" of the sizes of some tensors.
std::string sizes_text(const json& sizes) {
  std::string text = "[";
  if (!sizes.is_array()) { return "[]"; }
  for (std::size_t i = 0; i < std::min(sizes.size(), kMostTensors); ++i) {
    if (i > 0) { text += ", "; }
    text += sizes[i].is_array() ? list_text(sizes[i]) : "?";
  }
  return shortened(text + "]", kLongestSizes);
}

/// "Float" where all are of that type, "Float,Int" else.
std::string types_text(const json& types) {
  std::string text;
  std::string last;
  if (!types.is_array()) { return {}; }
  for (const json& each : types) {
    std::string type = text_of(each, kLongestTypes);
    if (type == last) { continue; }
    text += str_cat(text.empty() ? "" : ",", type);
    last = std::move(type);
  }
  return text;
}

FlightState state_of(const json& entry, const std::string& library) {
  const std::string state = text_of(field_of(entry, "state"), kLongestName);
  if (state == "completed") { return FlightState::completed; }
  if (library != kNccl && field_of(entry, "retired") == true) { return FlightState::completed; }
  return state == "started" ? FlightState::started : FlightState::scheduled;
}

/// nullopt for what has no number.
std::optional<FlightEntry> read_entry(const json& object, const std::string& library, std::string operation) {
  FlightEntry entry;
  entry.p2p = field_of(object, "is_p2p") == true;
  const auto sequence = flight_number(field_of(object, entry.p2p ? "p2p_seq_id" : "collective_seq_id"));
  if (!sequence) { return std::nullopt; }
  entry.sequence = *sequence;
  entry.operation = std::move(operation);
  entry.state = state_of(object, library);
  entry.input_sizes = sizes_text(field_of(object, "input_sizes"));
  entry.output_sizes = sizes_text(field_of(object, "output_sizes"));
  entry.types = types_text(field_of(object, "input_dtypes"));
  const std::string output_types = types_text(field_of(object, "output_dtypes"));
  if (output_types != entry.types && !output_types.empty()) { entry.types += ">" + output_types; }
  entry.types = shortened(std::move(entry.types), kLongestTypes);
  entry.created_ns = flight_number(field_of(object, "time_created_ns")).value_or(0);
  return entry;
}

void raise(std::optional<std::int64_t>& number, std::int64_t other) {
  number = std::max(number.value_or(other), other);
}

}  // namespace

void RecordBuilder::version(const json& version) {
  version_ = text_of(version, kLongestName);
}

void RecordBuilder::group(const json& config) {
  if (!config.is_object() || configs_.size() >= FlightRecord::kMostGroups) { return; }
  configs_[text_of(field_of(config, "name"), kLongestName)] = {description_of(field_of(config, "desc")),
                                                               ranks_of(field_of(config, "ranks"))};
}

void RecordBuilder::entry(const json& object) {
  if (!object.is_object()) { return; }
  const json& group = field_of(object, "process_group");
  if (!group.is_array() || group.empty()) { return; }
  const std::string name = text_of(field_of(object, "profiling_name"), kLongestName + kLongestOperation);
  const std::size_t colon = name.rfind(':');
  const std::string library = colon == std::string::npos ? "" : name.substr(0, std::min(colon, kLongestName));
  const auto entry = read_entry(object, library, name.substr(colon + 1).substr(0, kLongestOperation));
  const Key key{library, text_of(group[0], kLongestName)};
  if (!entry || (known_.size() >= FlightRecord::kMostGroups && known_.find(key) == known_.end())) { return; }
  Known& known = known_[key];
  known.description = group.size() > 1 ? description_of(group[1]) : "";
  if (!entry->p2p) {
    raise(known.enqueued, entry->sequence);
    if (entry->state != FlightState::scheduled) { raise(known.started, entry->sequence); }
    if (!is_pending(*entry)) { raise(known.completed, entry->sequence); }
  }
  known.entries.push_back(*entry);
  if (known.entries.size() > kMostBuiltEntries) { known.entries.pop_front(); }
}

FlightGroup RecordBuilder::group_of(const Key& key, const Known& known, std::size_t most_entries) const {
  FlightGroup group;
  group.library = key.first;
  group.name = key.second;
  group.description = known.description;
  if (const auto config = configs_.find(key.second); config != configs_.end()) {
    group.ranks = config->second.ranks;
    if (group.description.empty()) { group.description = config->second.description; }
  }
  group.enqueued = known.enqueued;
  group.started = known.started;
  group.completed = known.completed;
  group.entries = choose_entries({known.entries.begin(), known.entries.end()}, most_entries);
  return group;
}

FlightRecord RecordBuilder::finish() {
  FlightRecord record;
  record.version = version_;
  const std::size_t share = FlightRecord::kMostEntries / std::max<std::size_t>(1, known_.size());
  for (const auto& [key, known] : known_) { record.groups.push_back(group_of(key, known, share)); }
  for (const auto& [name, config] : configs_) {
    const auto has_name = [&name = name](const FlightGroup& group) { return group.name == name; };
    if (std::none_of(record.groups.begin(), record.groups.end(), has_name) &&
        record.groups.size() < FlightRecord::kMostGroups) {
      FlightGroup& group = record.groups.emplace_back();
      group.name = name;
      group.description = config.description;
      group.ranks = config.ranks;
    }
  }
  return record;
}

}  // namespace mdl::launcher::flight
