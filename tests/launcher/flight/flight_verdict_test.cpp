#include "launcher/flight/flight_verdict.hpp"

#include <catch2/catch.hpp>

#include "tests/launcher/flight/made_records.hpp"

using namespace mdl::launcher::flight;
using namespace mdl::test;
using Catch::Contains;
using Finding = FlightVerdict::Finding;
using Ranks = std::vector<std::int64_t>;
using Records = std::map<std::int64_t, FlightRecord>;

namespace {

const Ranks kAll{0, 1, 2, 3};

/// Four ranks that have done 1,203 collectives and wait in the next one.
Records waiting_records() {
  Records records;
  for (const std::int64_t rank : kAll) { records[rank] = made_record({made_group(kAll, 1203)}); }
  return records;
}

FlightEntry& last_of(FlightRecord& record) {
  return record.groups.at(0).entries.back();
}

}  // namespace

TEST_CASE("a rank that has not come to a collective in which the others wait is named") {
  Records records = waiting_records();
  records[3] = made_record({made_group(kAll, 1203, false)});
  const FlightVerdict verdict = flight_verdict(records, 4);
  CHECK(verdict.finding == Finding::behind);
  CHECK(verdict.headline == "rank 3 did not reach all-reduce 1,204, in which ranks 0 to 2 wait");
  CHECK(verdict.ranks == Ranks{3});
  REQUIRE(verdict.details.size() == 1);
  CHECK(verdict.details[0] ==
        "process group 0 (default_pg): ranks 0 to 2 wait in all-reduce 1,204; the last of ranks 0 to 2 is 1,204; the "
        "last of rank 3 is 1,203");
}

TEST_CASE("a rank that has not done anything in the group yet is named as well") {
  Records records;
  for (const std::int64_t rank : {0, 1}) { records[rank] = made_record({made_group({0, 1, 2}, 0)}); }
  FlightGroup nothing = made_group({0, 1, 2}, 0, false);
  nothing.library.clear();  // torch does not say whose it is, before its first operation
  records[2] = made_record({nothing});
  const FlightVerdict verdict = flight_verdict(records, 3);
  CHECK(verdict.headline == "rank 2 did not reach all-reduce 1, in which ranks 0, 1 wait");
  CHECK(verdict.ranks == Ranks{2});
  CHECK_THAT(verdict.details.at(0), Contains("none of rank 2"));
}

TEST_CASE("it is the first collective that is not done that counts, however many are on their way") {
  Records records = waiting_records();
  for (const std::int64_t rank : {0, 1, 2}) {
    auto& group = records[rank].groups[0];
    for (int i = 1205; i < 1210; ++i) { group.entries.push_back(made_entry(i, FlightState::scheduled)); }
    group.enqueued = 1209;
  }
  records[3] = made_record({made_group(kAll, 1203, false)});
  CHECK(flight_verdict(records, 4).headline == "rank 3 did not reach all-reduce 1,204, in which ranks 0 to 2 wait");
  records[3] = made_record({made_group(kAll, 1203)});  // it has come there, and goes on
  CHECK(flight_verdict(records, 4).finding == Finding::together);
}

TEST_CASE("ranks without a record are told where those that have one wait together") {
  Records records = waiting_records();
  records.erase(3);
  FlightVerdict verdict = flight_verdict(records, 4);
  CHECK(verdict.finding == Finding::unrecorded);
  CHECK(verdict.headline == "ranks 0 to 2 wait in all-reduce 1,204; there is no record of rank 3");
  CHECK(verdict.ranks == Ranks{3});
  // Who is known to be behind says more.
  records[2] = made_record({made_group(kAll, 1203, false)});
  verdict = flight_verdict(records, 4);
  CHECK(verdict.headline == "rank 2 did not reach all-reduce 1,204, in which ranks 0, 1 wait");
  CHECK_THAT(verdict.details.back(), Contains("no record of rank 3"));
}

TEST_CASE("an operation of another kind or size is told with both") {
  Records records = waiting_records();
  last_of(records[3]) = made_entry(1204, FlightState::scheduled, "broadcast");
  FlightVerdict verdict = flight_verdict(records, 4);
  CHECK(verdict.finding == Finding::mismatch);
  CHECK(verdict.headline ==
        "rank 3 does something else in all-reduce 1,204: ranks 0 to 2 all_reduce of [[4]] Float; rank 3 broadcast of "
        "[[4]]");
  CHECK(verdict.ranks == Ranks{3});

  records = waiting_records();
  last_of(records[1]) = made_entry(1204, FlightState::scheduled, "all_reduce", "[[5]]");
  verdict = flight_verdict(records, 4);
  CHECK_THAT(verdict.headline, Contains("rank 1 does something else") && Contains("rank 1 all_reduce of [[5]]"));
  CHECK(verdict.ranks == Ranks{1});
  last_of(records[1]).types = "Double";
  last_of(records[1]).input_sizes = last_of(records[1]).output_sizes = "[[4]]";
  CHECK_THAT(flight_verdict(records, 4).headline, Contains("rank 1 all_reduce of [[4]] Double"));

  // Two and two: nobody is odd.
  last_of(records[2]) = last_of(records[1]);
  verdict = flight_verdict(records, 4);
  CHECK(verdict.ranks.empty());
  CHECK_THAT(verdict.headline, Contains("ranks differ in all-reduce 1,204: ranks 0, 3 all_reduce"));
}

TEST_CASE("who is missing holds the others up more surely than who differs") {
  Records records = waiting_records();
  last_of(records[1]) = made_entry(1204, FlightState::scheduled, "all_reduce", "[[2, 2]]");
  records[3] = made_record({made_group(kAll, 1203, false)});
  const FlightVerdict verdict = flight_verdict(records, 4);
  CHECK(verdict.headline == "rank 3 did not reach all-reduce 1,204, in which ranks 0 to 2 wait");
  CHECK_THAT(verdict.details.at(0), Contains("rank 1 does something else in all-reduce 1,204"));
}

TEST_CASE("a rank for which an operation was done differently is told where others still wait in it") {
  Records records = waiting_records();
  records[3] = made_record({made_group(kAll, 1204)});
  records[3].groups[0].entries[2] = made_entry(1204, FlightState::completed, "broadcast");
  CHECK_THAT(flight_verdict(records, 4).headline, Contains("rank 3 does something else in all-reduce 1,204"));
}

TEST_CASE("sizes may differ where the operation is so") {
  for (const char* operation : {"all_to_all", "all_to_all_v_single", "all_gather_v"}) {
    Records records = waiting_records();
    for (auto& [rank, record] : records) {
      last_of(record) = made_entry(1204, FlightState::scheduled, operation, "[[" + std::to_string(rank) + "]]");
    }
    CHECK(flight_verdict(records, 4).finding == Finding::together);
  }
  Records records = waiting_records();
  for (auto& [rank, record] : records) {
    last_of(record) = made_entry(1204, FlightState::scheduled, "gather");
    last_of(record).output_sizes = rank == 0 ? "[[4], [4], [4], [4]]" : "[]";
  }
  CHECK(flight_verdict(records, 4).finding == Finding::together);
}

TEST_CASE("where all wait together, or nobody waits, it says that nothing tells ranks apart") {
  FlightVerdict verdict = flight_verdict(waiting_records(), 4);
  CHECK(verdict.finding == Finding::together);
  CHECK(verdict.headline ==
        "nothing tells ranks apart: ranks 0 to 3 wait in all-reduce 1,204, and no rank of that group is missing there");
  CHECK(verdict.ranks.empty());

  Records records;
  for (const std::int64_t rank : {0, 1}) { records[rank] = made_record({made_group({0, 1}, 7, false)}); }
  verdict = flight_verdict(records, 2);
  CHECK(verdict.finding == Finding::idle);
  CHECK(verdict.headline == "no rank waits in a collective");
  CHECK(verdict.details ==
        std::vector<std::string>{"process group 0 (default_pg): nobody waits; the last of ranks 0, 1 is 7"});
  verdict = flight_verdict(records, 3);
  CHECK(verdict.headline == "no rank waits in a collective; there is no record of rank 2");

  verdict = flight_verdict({}, 4);
  CHECK(verdict.finding == Finding::nothing);
  CHECK(verdict.headline == "no rank has a record of its collectives");
}

TEST_CASE("of several groups the one is told whose missing rank waits nowhere else") {
  // Rank 1 does not come to 0's all-reduce, for it waits for 2, which waits for nobody.
  Records records;
  records[0] = made_record({made_group({0, 1}, 4, true, "1")});
  records[1] = made_record({made_group({0, 1}, 4, false, "1"), made_group({1, 2}, 6, true, "2")});
  records[2] = made_record({made_group({1, 2}, 6, false, "2")});
  const FlightVerdict verdict = flight_verdict(records, 3);
  CHECK(verdict.headline == "rank 2 did not reach all-reduce 7 of process group 2, in which rank 1 waits");
  CHECK(verdict.ranks == Ranks{2});
  CHECK(verdict.details.size() == 2);
}

TEST_CASE("ranks that wait for each other in two groups are told as a circle") {
  Records records;
  records[0] = made_record({made_group({0, 1}, 4, true, "1"), made_group({0, 1}, 6, false, "2")});
  records[1] = made_record({made_group({0, 1}, 4, false, "1"), made_group({0, 1}, 6, true, "2")});
  const FlightVerdict verdict = flight_verdict(records, 2);
  CHECK(verdict.finding == Finding::circle);
  CHECK(verdict.headline ==
        "ranks wait for each other: rank 0 for rank 1 in all-reduce 5 of process group 1; rank 1 for rank 0 in "
        "all-reduce 7 of process group 2");
  CHECK(verdict.ranks == Ranks{0, 1});
}

TEST_CASE("groups of one name and other ranks are not one") {
  Records records;
  records[0] = made_record({made_group({0, 1}, 4, true, "1")});
  records[1] = made_record({made_group({0, 1}, 4, true, "1")});
  records[2] = made_record({made_group({2, 3}, 9, true, "1")});
  records[3] = made_record({made_group({2, 3}, 9, false, "1")});
  CHECK(flight_verdict(records, 4).headline ==
        "rank 3 did not reach all-reduce 10 of process group 1, in which rank 2 waits");
}

TEST_CASE("sends and receives that wait are told in the details") {
  Records records;
  records[0] = made_record({made_group({0, 1}, 4, false)});
  FlightEntry send = made_entry(2, FlightState::scheduled, "send 0->1");
  send.p2p = true;
  records[0].groups[0].entries.push_back(send);
  records[1] = made_record({made_group({0, 1}, 4, false)});
  const FlightVerdict verdict = flight_verdict(records, 2);
  CHECK(verdict.finding == Finding::idle);
  CHECK(verdict.details.back() == "rank 0 waits in send 0->1 of process group 0 (default_pg)");
}

TEST_CASE("a verdict on many ranks that all differ stays short") {
  Records records;
  Ranks all;
  for (std::int64_t rank = 0; rank < 1000; ++rank) { all.push_back(rank); }
  for (const std::int64_t rank : all) {
    FlightGroup group = made_group(all, 5);
    group.entries.back().input_sizes = "[[" + std::to_string(rank) + "]]";
    group.enqueued = 6 + rank;
    records[rank] = made_record({group});
  }
  const FlightVerdict verdict = flight_verdict(records, 1000);
  CHECK(verdict.headline.size() < 600);
  for (const std::string& detail : verdict.details) { CHECK(detail.size() < 900); }
}
