#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "launcher/flight/flight_record.hpp"

namespace mdl::test {

using launcher::flight::FlightEntry;
using launcher::flight::FlightGroup;
using launcher::flight::FlightRecord;
using launcher::flight::FlightState;

inline FlightEntry made_entry(std::int64_t sequence, FlightState state, const std::string& operation = "all_reduce",
                              const std::string& sizes = "[[4]]") {
  FlightEntry entry;
  entry.sequence = sequence;
  entry.operation = operation;
  entry.state = state;
  entry.input_sizes = entry.output_sizes = sizes;
  entry.types = "Float";
  entry.created_ns = 1'764'420'000'000'000'000 + sequence * 1'000'000;
  return entry;
}

/// A group of `ranks` in which a rank has done so many collectives and, unless `waits` is false, waits in the next one.
inline FlightGroup made_group(const std::vector<std::int64_t>& ranks, std::int64_t done, bool waits = true,
                              const std::string& name = "0") {
  FlightGroup group;
  group.library = "gloo";
  group.name = name;
  group.description = name == "0" ? "default_pg" : "";
  group.ranks = ranks;
  for (std::int64_t i = done > 3 ? done - 2 : 1; i <= done; ++i) {
    group.entries.push_back(made_entry(i, FlightState::completed));
  }
  if (done > 0) { group.completed = done; }
  if (waits) { group.entries.push_back(made_entry(done + 1, FlightState::scheduled)); }
  if (waits || done > 0) { group.enqueued = done + (waits ? 1 : 0); }
  return group;
}

inline FlightRecord made_record(std::vector<FlightGroup> groups) {
  FlightRecord record;
  record.version = "2.10";
  record.groups = std::move(groups);
  return record;
}

}  // namespace mdl::test
