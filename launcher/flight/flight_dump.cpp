#include "launcher/flight/flight_dump.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/json_nesting.hpp"
#include "common/pickle/pickle.hpp"
#include "common/str_cat.hpp"
#include "launcher/flight/record_builder.hpp"
#include "launcher/output/printable.hpp"

namespace mdl::launcher::flight {
namespace {
using nlohmann::json;
using Kind = PickleValue::Kind;
using Failure = Unexpected<std::string>;

constexpr std::size_t kMostValues = 2'000'000;
constexpr std::size_t kMostValuesOfEntry = 16'384;
constexpr std::size_t kMostValuesOfConfig = 100'000;  // with a list of ranks
constexpr int kDeepestPart = 6;
constexpr std::size_t kLongestReason = 200;
constexpr char kFirstOfPickle = '\x80';
constexpr const char* kStacks = "frames";  // of an entry, which are not read

/// Parts of a pickle as JSON. What is no plain data, or too much, becomes null: values may refer to each other in
/// circles, and to one again and again.
class PlainParts {
 public:
  /// How many values all parts together may have still.
  explicit PlainParts(std::size_t left) : left_(left) {}

  json part(const PickleValue& value, std::size_t most = kMostValuesOfEntry) {
    const std::size_t room = std::min(most, left_);
    of_part_ = room;
    json result = convert(value, 0);
    left_ -= room - of_part_;
    return result;
  }
  bool used_up() const { return left_ == 0; }

 private:
  json convert(const PickleValue& value, int depth) {
    if (of_part_ == 0) { return {}; }
    --of_part_;
    if (depth > kDeepestPart) { return {}; }
    switch (value.kind) {
      case Kind::boolean:
        return value.integer != 0;
      case Kind::integer:
        return value.integer;
      case Kind::string:
        return value.text;
      case Kind::tuple:
      case Kind::list: {
        json array = json::array();
        for (const PickleValue* item : value.items) {
          if (of_part_ == 0) { break; }
          array.push_back(convert(*item, depth + 1));
        }
        return array;
      }
      case Kind::dict:
        return convert_dict(value, depth);
      default:
        return {};
    }
  }

  json convert_dict(const PickleValue& value, int depth) {
    json object = json::object();
    for (std::size_t i = 0; i + 1 < value.items.size() && of_part_ > 0; i += 2) {
      const PickleValue& key = *value.items[i];
      if (key.kind == Kind::string && key.text != kStacks) {
        object[key.text] = convert(*value.items[i + 1], depth + 1);
      }
    }
    return object;
  }

  std::size_t left_;
  std::size_t of_part_ = 0;
};

const PickleValue* value_of(const PickleValue& dict, std::string_view name) {
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    if (dict.items[i]->kind == Kind::string && dict.items[i]->text == name) { return dict.items[i + 1]; }
  }
  return nullptr;
}

FlightRecord read_pickled(std::string_view dump) {
  const Pickle pickle(dump, kMostValues);
  const PickleValue& root = pickle.root();
  const PickleValue* const version = root.kind == Kind::dict ? value_of(root, "version") : nullptr;
  if (!version) { throw Error("it is a pickle, but none of torch's flight recorder"); }
  PlainParts parts(2 * kMostValues);
  RecordBuilder builder;
  builder.version(parts.part(*version));
  const PickleValue* const configs = value_of(root, "pg_config");
  if (configs && configs->kind == Kind::dict) {
    for (std::size_t i = 1; i < configs->items.size() && !parts.used_up(); i += 2) {
      builder.group(parts.part(*configs->items[i], kMostValuesOfConfig));
    }
  }
  if (const PickleValue* const entries = value_of(root, "entries"); entries && entries->kind == Kind::list) {
    for (const PickleValue* entry : entries->items) {
      if (parts.used_up()) { break; }
      builder.entry(parts.part(*entry));
    }
  }
  return builder.finish();
}

/// Takes the dump's parts while they are parsed, so that not all of it is in memory at once.
class JsonParts {
 public:
  explicit JsonParts(RecordBuilder& builder) : builder_(builder) {}

  /// For json::parse: false forgets what was parsed.
  bool take(int depth, json::parse_event_t event, json& parsed) {
    if (++values_ > kMostValues) { throw Error("it has too many values"); }
    if (event == json::parse_event_t::key && depth == kPart) {
      part_ = parsed.get<std::string>();
    } else if (event == json::parse_event_t::object_end && depth == kItem) {
      take_item(parsed);
      return false;
    } else if (event == json::parse_event_t::value && depth == kPart && part_ == "version") {
      builder_.version(parsed);
      has_version_ = true;
    }
    return true;
  }
  bool has_version() const { return has_version_; }

 private:
  static constexpr int kPart = 1;  // what the dump's keys name
  static constexpr int kItem = 2;  // what is in that

  void take_item(const json& item) {
    if (part_ == "entries") { builder_.entry(item); }
    if (part_ == "pg_config") { builder_.group(item); }
  }

  RecordBuilder& builder_;
  std::string part_{};
  std::size_t values_ = 0;
  bool has_version_ = false;
};

FlightRecord read_json(std::string_view dump) {
  if (json_nesting(dump) > kMaxJsonNesting) { throw Error("it nests too deeply"); }
  RecordBuilder builder;
  JsonParts parts(builder);
  const auto take = [&](int depth, json::parse_event_t event, json& parsed) {
    return parts.take(depth, event, parsed);
  };
  const json rest = json::parse(dump, take, false);
  if (rest.is_discarded() || !rest.is_object()) { throw Error("it is no JSON object"); }
  if (!parts.has_version()) { throw Error("it is JSON, but none of torch's flight recorder"); }
  return builder.finish();
}

}  // namespace

Expected<FlightRecord, std::string> read_flight_record(std::string_view dump) {
  if (dump.empty()) { return Failure{"the dump is empty"}; }
  if (dump.size() > kLargestDump) { return Failure{str_cat("the dump has ", dump.size(), " bytes")}; }
  try {
    return dump.front() == kFirstOfPickle ? read_pickled(dump) : read_json(dump);
  } catch (const Error& error) {
    return Failure{output::printable(str_cat("the dump cannot be read: ", error.problem()), kLongestReason)};
  }
}

}  // namespace mdl::launcher::flight
