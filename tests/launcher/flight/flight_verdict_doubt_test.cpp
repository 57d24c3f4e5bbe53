#include <catch2/catch.hpp>

#include "launcher/flight/flight_verdict.hpp"
#include "launcher/flight/group_view.hpp"
#include "tests/launcher/flight/made_records.hpp"

using namespace mdl::launcher::flight;
using namespace mdl::test;
using Catch::Contains;
using Finding = FlightVerdict::Finding;
using Ranks = std::vector<std::int64_t>;
using Records = std::map<std::int64_t, FlightRecord>;

namespace {

/// Ranks that wait in their fifth collective, which `make` makes for each.
template <typename Make>
Records records_of(std::int64_t ranks, Make make) {
  Records records;
  Ranks all;
  for (std::int64_t rank = 0; rank < ranks; ++rank) { all.push_back(rank); }
  for (const std::int64_t rank : all) {
    records[rank] = made_record({made_group(all, 4)});
    make(rank, records[rank].groups[0].entries.back());
  }
  return records;
}

/// What is found where the first rank has it otherwise.
Finding finding_of(const std::string& operation, std::string FlightEntry::* field) {
  return flight_verdict(records_of(3,
                                   [&](std::int64_t rank, FlightEntry& entry) {
                                     entry.operation = operation;
                                     if (rank == 0) { entry.*field = "[[9]]"; }
                                   }),
                        3)
      .finding;
}

}  // namespace

TEST_CASE(
    "of scatter the inputs may differ, of gather the outputs, of these and broadcast the types, and nothing else") {
  for (const char* scatter : {"scatter", "_scatter_oop"}) {
    CHECK(finding_of(scatter, &FlightEntry::input_sizes) == Finding::together);
    CHECK(finding_of(scatter, &FlightEntry::output_sizes) == Finding::mismatch);
    CHECK(finding_of(scatter, &FlightEntry::types) == Finding::together);
  }
  for (const char* gather : {"gather", "_gather_oop"}) {
    CHECK(finding_of(gather, &FlightEntry::input_sizes) == Finding::mismatch);
    CHECK(finding_of(gather, &FlightEntry::output_sizes) == Finding::together);
    CHECK(finding_of(gather, &FlightEntry::types) == Finding::together);
  }
  CHECK(finding_of("all_to_all", &FlightEntry::output_sizes) == Finding::together);
  CHECK(finding_of("_broadcast_oop", &FlightEntry::types) == Finding::together);
  CHECK(finding_of("_broadcast_oop", &FlightEntry::output_sizes) == Finding::mismatch);
  CHECK(finding_of("all_reduce", &FlightEntry::output_sizes) == Finding::mismatch);
}

TEST_CASE("the default group without a list of ranks has all of them, and of another one nobody is missed") {
  Records records;
  for (std::int64_t rank = 0; rank < 3; ++rank) { records[rank] = made_record({made_group({}, 4)}); }
  CHECK(flight_verdict(records, 4).headline == "ranks 0 to 2 wait in all-reduce 5; there is no record of rank 3");
  records[3] = made_record({});
  CHECK(flight_verdict(records, 4).headline == "rank 3 did not reach all-reduce 5, in which ranks 0 to 2 wait");
  for (std::int64_t rank = 0; rank < 3; ++rank) { records[rank] = made_record({made_group({}, 4, true, "1")}); }
  CHECK(flight_verdict(records, 4).finding == Finding::together);
  records.erase(3);
  CHECK(flight_verdict(records, 4).finding == Finding::together);
}

TEST_CASE("a list of ranks that the job does not have makes nobody missing") {
  Records records;
  for (const std::int64_t rank : {0, 1}) { records[rank] = made_record({made_group({0, 1, 2, 9}, 4)}); }
  const FlightVerdict verdict = flight_verdict(records, 2);
  CHECK(verdict.finding == Finding::together);
  CHECK_THAT(verdict.details.at(0), !Contains("no record"));
}

TEST_CASE("where nobody waits a rank without a record holds nobody up, and a circle is one also beside such") {
  Records records;
  for (const std::int64_t rank : {0, 1}) { records[rank] = made_record({made_group({}, 7, false)}); }
  FlightVerdict verdict = flight_verdict(records, 3);
  CHECK((verdict.finding == Finding::idle && verdict.ranks.empty()));
  CHECK_THAT(verdict.details.at(0), Contains("nobody waits") && Contains("; no record of rank 2"));
  CHECK(verdict.details.back() == "no record of rank 2");
  records[0] = made_record({made_group({0, 1, 2}, 4, true, "1"), made_group({0, 1}, 6, false, "2")});
  records[1] = made_record({made_group({0, 1, 2}, 4, false, "1"), made_group({0, 1}, 6, true, "2")});
  verdict = flight_verdict(records, 3);
  CHECK((verdict.finding == Finding::circle && verdict.ranks == Ranks{0, 1}));
}

TEST_CASE("what is done on some is said, and sends that are done, or have the number of a collective, are none") {
  Records records = records_of(3, [](std::int64_t, FlightEntry&) {});
  FlightGroup ahead = made_group({0, 1, 2}, 5);
  records[2] = made_record({ahead});
  CHECK_THAT(flight_verdict(records, 3).details.at(0), Contains("wait in all-reduce 5; it is done on rank 2; "));
  records = records_of(2, [](std::int64_t, FlightEntry&) {});
  FlightEntry send = made_entry(5, FlightState::completed, "send 0->1");
  send.p2p = true;
  auto& entries = records[0].groups[0].entries;
  entries.insert(entries.begin(), send);
  const FlightVerdict verdict = flight_verdict(records, 2);
  CHECK(verdict.finding == Finding::together);
  CHECK(verdict.details.size() == 1);
}

TEST_CASE("four ways are told one by one, of more the rest is counted, and details end somewhere") {
  const auto differing = [](std::int64_t ranks) {
    return flight_verdict(records_of(ranks,
                                     [](std::int64_t rank, FlightEntry& entry) {
                                       entry.input_sizes = entry.output_sizes = "[[" + std::to_string(rank) + "]]";
                                     }),
                          ranks)
        .headline;
  };
  CHECK_THAT(differing(4), Contains("rank 3 all_reduce of [[3]] Float") && !Contains(" more"));
  CHECK_THAT(differing(5), Catch::EndsWith("rank 3 all_reduce of [[3]] Float and 1 more"));
  Records records;
  for (std::size_t groups : {FlightVerdict::kMostDetails, FlightVerdict::kMostDetails + 1}) {
    std::vector<FlightGroup> made;
    for (std::size_t i = 0; i < groups; ++i) { made.push_back(made_group({0}, 1, false, std::to_string(i + 1))); }
    records[0] = made_record(made);
    CHECK(flight_verdict(records, 1).details.size() == FlightVerdict::kMostDetails);
  }
}

TEST_CASE("a group or an operation without a name of its own is told as far as it has one") {
  FlightGroup group = made_group({0}, 7, false, "tp");
  group.description = "tp";
  CHECK_THAT(flight_verdict({{0, made_record({group})}}, 1).details.at(0), Catch::StartsWith("process group tp: "));
  CHECK(operation_in_words("", 5) == "operation 5");
  CHECK(operation_in_words("__", 5) == "operation 5");
  CHECK(operation_in_words("_ALLGATHER_base", 1204) == "allgather-base 1,204");
}
