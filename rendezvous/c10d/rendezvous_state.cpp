#include "rendezvous/c10d/rendezvous_state.hpp"

#include <array>
#include <limits>
#include <utility>

#include "common/base64.hpp"
#include "common/pickle/pickle.hpp"
#include "common/pickle/pickle_writer.hpp"
#include "common/str_cat.hpp"

namespace mdl::rendezvous::c10d {
namespace {

using std::chrono::microseconds;
using Kind = PickleValue::Kind;

constexpr const char* kModule = "torch.distributed.elastic.rendezvous.dynamic_rendezvous";

/// Python's datetime as its pickle holds it: year (2 bytes), month, day, hour, minute, second, µs (3 bytes),
/// big-endian.
constexpr std::size_t kDatetimeBytes = 10;

[[noreturn]] void fail(const std::string& reason) {
  throw Error(
      str_cat("the rendezvous state in the store cannot be read: ", reason),
      "It was written by another program, or by a version of torch that this one does not know (it knows 2.15).");
}

// Writing.

void write_datetime(PickleWriter& out, RendezvousTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto fraction = static_cast<std::uint32_t>(clock.subseconds().count());
  const std::array<unsigned, kDatetimeBytes> bytes{year >> 8,
                                                   year,
                                                   static_cast<unsigned>(date.month()),
                                                   static_cast<unsigned>(date.day()),
                                                   static_cast<unsigned>(clock.hours().count()),
                                                   static_cast<unsigned>(clock.minutes().count()),
                                                   static_cast<unsigned>(clock.seconds().count()),
                                                   fraction >> 16,
                                                   fraction >> 8,
                                                   fraction};
  std::string text;
  for (const unsigned byte : bytes) { text += static_cast<char>(byte & 0xff); }

  out.type("datetime", "datetime");
  out.bytes(text);
  out.type("datetime", "timezone");
  out.type("datetime", "timedelta");
  for (int i = 0; i < 3; ++i) { out.integer(0); }
  out.tuple(3);
  out.reduce();
  out.tuple(1);
  out.reduce();
  out.tuple(2);
  out.reduce();
}

class StateWriter {
 public:
  std::string write(const RendezvousState& state) {
    begin_object("_RendezvousState");
    attribute("round");
    out_.integer(state.round);
    attribute("complete");
    out_.boolean(state.complete);
    attribute("deadline");
    state.deadline ? write_datetime(out_, *state.deadline) : out_.none();
    attribute("closed");
    out_.boolean(state.closed);
    attribute("participants");
    dict(state.participants, [this](std::int64_t rank) { out_.integer(rank); });
    attribute("wait_list");
    set(state.wait_list);
    attribute("redundancy_list");
    set(state.redundancy_list);
    attribute("last_heartbeats");
    dict(state.last_heartbeats, [this](RendezvousTime time) { write_datetime(out_, time); });
    end_object();
    return out_.finish();
  }

 private:
  void begin_object(const char* type) {
    out_.type(kModule, type);
    out_.tuple(0);
    out_.new_object();
    object_ = out_.memoize();
    out_.empty_dict();
    out_.mark();
  }
  void attribute(const char* name) { out_.string(name); }
  void end_object() {
    out_.set_items();
    out_.build();
  }

  void node(const NodeDesc& node) {
    if (const auto known = nodes_.find(node); known != nodes_.end()) { return out_.get(known->second); }
    begin_object("_NodeDesc");
    nodes_.emplace(node, object_);
    attribute("addr");
    out_.string(node.addr);
    attribute("pid");
    out_.integer(node.pid);
    attribute("local_id");
    out_.integer(node.local_id);
    end_object();
  }
  template <typename Map, typename WriteValue>
  void dict(const Map& map, const WriteValue& write_value) {
    out_.empty_dict();
    out_.mark();
    for (const auto& [key, value] : map) {
      node(key);
      write_value(value);
    }
    out_.set_items();
  }
  void set(const std::set<NodeDesc>& nodes) {
    out_.empty_set();
    out_.mark();
    for (const NodeDesc& member : nodes) { node(member); }
    out_.add_items();
  }

  PickleWriter out_;
  PickleWriter::Memo object_ = 0;
  std::map<NodeDesc, PickleWriter::Memo> nodes_;
};

// Reading. Each function takes the value apart as the one kind of thing that belongs there.

const PickleValue& of_kind(const PickleValue& value, Kind kind, const char* what) {
  if (value.kind != kind) { fail(str_cat(what, " is not of the right type")); }
  return value;
}

std::int64_t read_integer(const PickleValue& value, const char* what) {
  return of_kind(value, Kind::integer, what).integer;
}

bool read_boolean(const PickleValue& value, const char* what) {
  return of_kind(value, Kind::boolean, what).integer != 0;
}

void expect_type(const PickleValue& object, std::string_view type, const char* what) {
  of_kind(object, Kind::object, what);
  if (object.type->text != type) { fail(str_cat(what, " is a ", object.type->text, ", not a ", type)); }
}

/// The arguments of an object that is made by a call.
const std::vector<const PickleValue*>& call(const PickleValue& object, std::string_view type, std::size_t arguments,
                                            const char* what) {
  expect_type(object, type, what);
  if (object.items.size() != arguments || object.state) { fail(str_cat(what, " is not written as expected")); }
  return object.items;
}

RendezvousTime read_datetime(const PickleValue& value, const char* what) {
  const auto& parts = call(value, "datetime.datetime", 2, what);
  const std::string& bytes = of_kind(*parts[0], Kind::bytes, what).text;
  const auto& zone = call(*parts[1], "datetime.timezone", 1, what);
  const auto& offset = call(*zone[0], "datetime.timedelta", 3, what);
  for (const PickleValue* part : offset) {
    if (read_integer(*part, what) != 0) { fail(str_cat(what, " is not in UTC")); }
  }
  if (bytes.size() != kDatetimeBytes) { fail(str_cat(what, " is not written as expected")); }
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(at(0) << 8 | at(1))),
                                         std::chrono::month(at(2)), std::chrono::day(at(3)));
  const unsigned fraction = at(7) << 16 | at(8) << 8 | at(9);
  if (!date.ok() || at(4) > 23 || at(5) > 59 || at(6) > 59 || fraction > 999'999) {
    fail(str_cat(what, " is no point in time"));
  }
  return std::chrono::sys_days(date) + std::chrono::hours(at(4)) + std::chrono::minutes(at(5)) +
         std::chrono::seconds(at(6)) + microseconds(fraction);
}

/// Calls `use(name, value)` with each attribute of an object made by NEWOBJ and BUILD.
template <typename Use>
void for_each_attribute(const PickleValue& object, const std::string& type, const Use& use) {
  expect_type(object, type, type.c_str());
  if (!object.items.empty() || !object.state) { fail(str_cat(type, " is not written as expected")); }
  const PickleValue& attributes = of_kind(*object.state, Kind::dict, type.c_str());
  for (std::size_t i = 0; i + 1 < attributes.items.size(); i += 2) {
    use(of_kind(*attributes.items[i], Kind::string, type.c_str()).text, *attributes.items[i + 1]);
  }
}

class StateReader {
 public:
  RendezvousState read(const PickleValue& root) {
    RendezvousState state;
    std::set<std::string> seen;
    for_each_attribute(root, str_cat(kModule, "._RendezvousState"),
                       [&](const std::string& name, const PickleValue& value) {
                         seen.insert(name);
                         read_attribute(state, name, value);
                       });
    if (seen.size() != kAttributes) { fail("it lacks attributes"); }
    return state;
  }

 private:
  static constexpr std::size_t kAttributes = 8;

  void read_attribute(RendezvousState& state, const std::string& name, const PickleValue& value) {
    const char* const what = name.c_str();
    if (name == "round") {
      state.round = read_integer(value, what);
    } else if (name == "complete") {
      state.complete = read_boolean(value, what);
    } else if (name == "deadline") {
      if (value.kind != Kind::none) { state.deadline = read_datetime(value, what); }
    } else if (name == "closed") {
      state.closed = read_boolean(value, what);
    } else if (name == "participants") {
      dict(value, what,
           [&](const NodeDesc& node, const PickleValue& rank) { state.participants[node] = read_integer(rank, what); });
    } else if (name == "wait_list") {
      state.wait_list = set(value, what);
    } else if (name == "redundancy_list") {
      state.redundancy_list = set(value, what);
    } else if (name == "last_heartbeats") {
      dict(value, what, [&](const NodeDesc& node, const PickleValue& time) {
        state.last_heartbeats[node] = read_datetime(time, what);
      });
    } else {
      // Dropping it would break the agents that know it.
      fail(str_cat("it has an attribute \"", name, "\", whose meaning is not known here"));
    }
  }

  NodeDesc node(const PickleValue& value) {
    NodeDesc node;
    for_each_attribute(value, str_cat(kModule, "._NodeDesc"),
                       [&](const std::string& name, const PickleValue& attribute) {
                         if (name == "addr") { node.addr = of_kind(attribute, Kind::string, "addr").text; }
                         if (name == "pid") { node.pid = read_integer(attribute, "pid"); }
                         if (name == "local_id") { node.local_id = read_integer(attribute, "local_id"); }
                       });
    return node;
  }
  template <typename Use>
  void dict(const PickleValue& value, const char* what, const Use& use) {
    of_kind(value, Kind::dict, what);
    for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) { use(node(*value.items[i]), *value.items[i + 1]); }
  }
  std::set<NodeDesc> set(const PickleValue& value, const char* what) {
    std::set<NodeDesc> nodes;
    for (const PickleValue* member : of_kind(value, Kind::set, what).items) { nodes.insert(node(*member)); }
    return nodes;
  }
};

}  // namespace

std::string to_string(const NodeDesc& node) {
  return str_cat(node.addr, "_", node.pid, "_", node.local_id);
}

std::string encode_rendezvous_state(const RendezvousState& state) {
  return base64_encode(StateWriter().write(state));
}

RendezvousState decode_rendezvous_state(std::string_view stored) {
  if (stored.empty() || stored == kNoRendezvousState) { return {}; }
  const std::optional<std::string> bytes = base64_decode(stored);
  if (!bytes) { fail("it is not base64"); }
  try {
    const Pickle pickle(*bytes);
    return StateReader().read(pickle.root());
  } catch (const PickleError& error) { fail(error.what()); }
}

}  // namespace mdl::rendezvous::c10d
