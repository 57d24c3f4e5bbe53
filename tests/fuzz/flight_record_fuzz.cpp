// What a node makes of a worker's record of collectives, and of what a stranger has put where nodes tell of them.
#include "launcher/flight/flight_dump.hpp"
#include "launcher/flight/flight_verdict.hpp"
#include "tests/fuzz/fuzz_input.hpp"

namespace {

using namespace mdl::launcher::flight;
using mdl::fuzz::claim;
using mdl::fuzz::claim_printable;

void claim_sound(const FlightRecord& record) {
  claim_printable(record.version, 64);
  claim(record.groups.size() <= FlightRecord::kMostGroups, "groups are bounded");
  for (const FlightGroup& group : record.groups) {
    for (const std::string* name : {&group.library, &group.name, &group.description}) { claim_printable(*name, 64); }
    claim(group.ranks.size() <= FlightRecord::kMostRanks, "ranks are bounded");
    claim(group.entries.size() <= FlightRecord::kMostEntries, "entries are bounded");
    for (const FlightEntry& entry : group.entries) {
      claim(entry.sequence >= 0 && entry.created_ns >= 0, "numbers are none below 0");
      claim_printable(entry.operation, 48);
      claim_printable(entry.input_sizes, 96);
      claim_printable(entry.output_sizes, 96);
      claim_printable(entry.types, 48);
    }
  }
}

/// Of this record beside one of a rank that has done nothing, and alone.
void claim_verdict(const FlightRecord& record) {
  for (const std::int64_t other : {1, 2}) {
    const FlightVerdict verdict = flight_verdict({{0, record}, {other, FlightRecord()}}, 3);
    claim_printable(verdict.headline, 2000);
    claim(!verdict.headline.empty() && verdict.details.size() <= FlightVerdict::kMostDetails, "a verdict is bounded");
    for (const std::string& detail : verdict.details) { claim_printable(detail, 2000); }
    for (const std::int64_t rank : verdict.ranks) { claim(rank >= 0, "a rank is none below 0"); }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = mdl::fuzz::text_of(data, size);
  const auto dump = read_flight_record(bytes);
  if (dump) {
    claim_sound(*dump);
    claim_verdict(*dump);
    const std::string text = to_text(*dump);
    claim(text.size() <= kLargestFlightText, "what is told of a dump is bounded");
    claim(flight_record_from_text(text).has_value(), "what is told of a dump can be read");
  } else {
    claim_printable(dump.error(), 200);
  }
  if (const auto told = flight_record_from_text(bytes)) {
    claim_sound(*told);
    claim_verdict(*told);
    claim(flight_record_from_text(to_text(*told)).has_value(), "what was read can be told again");
  }
  return 0;
}
