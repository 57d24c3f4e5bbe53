#include "launcher/flight/flight_record.hpp"

#include <catch2/catch.hpp>

#include "launcher/flight/entry_choice.hpp"
#include "tests/launcher/flight/made_records.hpp"

using namespace mdl::launcher::flight;
using namespace mdl::test;

TEST_CASE("a record of collectives comes back from the store as it was") {
  FlightGroup tensor_parallel = made_group({0, 8, 16}, 3, true, "7");
  tensor_parallel.entries.back().p2p = true;
  tensor_parallel.entries.back().operation = "send 0->1";
  tensor_parallel.entries.back().output_sizes = "[]";
  tensor_parallel.started = 2;
  const FlightRecord record = made_record({made_group({0, 1, 2, 3}, 1203), tensor_parallel});
  CHECK(flight_record_from_text(to_text(record)) == record);
  CHECK(flight_record_from_text(to_text(FlightRecord())) == FlightRecord());
}

TEST_CASE("a record of collectives takes at most two kilobytes in the store, and keeps where somebody waits") {
  std::vector<FlightGroup> groups;
  for (int i = 0; i < 60; ++i) {
    FlightGroup group = made_group({i, i + 7, i + 9}, 40, i == 37, std::to_string(i + 1));
    group.description = std::string(64, 'd');
    for (int k = 0; k < 20; ++k) { group.entries.push_back(made_entry(60 + k, FlightState::scheduled)); }
    if (i != 37) {
      for (FlightEntry& entry : group.entries) { entry.state = FlightState::completed; }
    }
    groups.push_back(group);
  }
  const std::string text = to_text(made_record(groups));
  CHECK(text.size() <= kLargestFlightText);
  const auto read = flight_record_from_text(text);
  REQUIRE(read);
  REQUIRE_FALSE(read->groups.empty());
  CHECK(read->groups[0].name == "38");
  CHECK(read->groups[0].entries.at(0).sequence == 41);
  const auto one = flight_record_from_text(to_text(made_record({groups[37]})));
  REQUIRE(one);
  CHECK(one->groups.at(0).entries.size() == 16);
}

TEST_CASE("of many entries those are kept that tell where a rank waits") {
  std::vector<FlightEntry> entries;
  for (int i = 1; i <= 100; ++i) {
    entries.push_back(made_entry(i, i < 50 ? FlightState::completed : FlightState::scheduled));
  }
  const auto numbers = [&](std::size_t most) {
    std::vector<std::int64_t> kept;
    for (const FlightEntry& entry : choose_entries(entries, most)) { kept.push_back(entry.sequence); }
    return kept;
  };
  CHECK(numbers(1) == std::vector<std::int64_t>{50});
  CHECK(numbers(2) == std::vector<std::int64_t>{49, 50});
  CHECK(numbers(5) == std::vector<std::int64_t>{48, 49, 50, 51, 52});
  CHECK(numbers(1000).size() == 100);
  for (FlightEntry& entry : entries) { entry.state = FlightState::completed; }
  CHECK(numbers(1) == std::vector<std::int64_t>{100});
  CHECK(numbers(3) == std::vector<std::int64_t>{98, 99, 100});
  entries[20].state = FlightState::scheduled;
  entries[20].p2p = true;
  CHECK(numbers(3) == std::vector<std::int64_t>{21, 99, 100});
}

TEST_CASE("what others have put where a record belongs is made printable, or is none") {
  const auto read = flight_record_from_text(
      R"([1,"2\u001b[2J",[["gl\u0007oo","0","d\n","0-3",5,null,4,[[5,"all\u001b_reduce",0,"[[4]]",null,"Float",7,"later"]],"later"]],"later"])");
  REQUIRE(read);
  CHECK(read->version == "2");
  const FlightGroup& group = read->groups.at(0);
  CHECK((group.library == "gloo" && group.description == "d " && group.ranks.size() == 4 && group.enqueued == 5));
  CHECK((group.entries.at(0).operation == "all_reduce" && group.entries[0].output_sizes == "[[4]]"));
  CHECK(group.entries[0].created_ns == 7'000'000);
  for (const char* wrong : {"",
                            "{}",
                            "[]",
                            "[1]",
                            R"([1,"2"])",
                            R"([2,"2",[]])",
                            R"([1,7,[]])",
                            R"([1,"2",{}])",
                            R"([1,"2",[7]])",
                            R"([1,"2",[["g","0","d","0-3",-5,null,4,[]]]])",
                            R"([1,"2",[["g","0","d","0-3",1.5,null,4,[]]]])",
                            R"([1,"2",[["g","0","d","0-3",5,null,4]]])",
                            R"([1,"2",[["g","0","d",3,5,null,4,[]]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,[[5,"x",3,"","","",0]]]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,[[5,"x",8,"","","",0]]]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,[[5,"x",0,"","",""]]]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,[[null,"x",0,"","","",0]]]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,[[5,7,0,"","","",0]]]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,{}]]])",
                            R"([1,"2",[["g","0","d","",5,null,4,[7]]]])",
                            R"([1,"2",[["g","0","d","",9000000000000000001,null,4,[]]]])",
                            R"([1,"2",[["g","0","d","",18446744073709551615,null,4,[]]]])"}) {
    CAPTURE(wrong);
    CHECK_FALSE(flight_record_from_text(wrong));
  }
  CHECK(flight_record_from_text(R"([1,"2",[["g","0","d","",9000000000000000000,null,4,[]]]])"));
  const auto list = [](std::size_t count, const std::string& each) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) { text += (i > 0 ? "," : "") + each; }
    return "[" + text + "]";
  };
  const auto with_entries = [&](std::size_t count) {
    return flight_record_from_text(R"([1,"2",[["g","0","d","",5,null,4,)" + list(count, R"([5,"x",0,"","","",0])") +
                                   "]]]");
  };
  CHECK((with_entries(FlightRecord::kMostEntries) && !with_entries(FlightRecord::kMostEntries + 1)));
  const auto with_groups = [&](std::size_t count) {
    return flight_record_from_text(R"([1,"2",)" + list(count, R"(["g","0","d","",5,null,4,[]])") + "]");
  };
  CHECK((with_groups(FlightRecord::kMostGroups) && !with_groups(FlightRecord::kMostGroups + 1)));
  const std::string small = R"([1,"2",[]])";
  CHECK(flight_record_from_text(small + std::string(2 * kLargestFlightText - small.size(), ' ')));
  CHECK_FALSE(flight_record_from_text(small + std::string(2 * kLargestFlightText - small.size() + 1, ' ')));
  CHECK(flight_record_from_text(R"([1,"2",[],[[[[[[[]]]]]]]])"));
  CHECK_FALSE(flight_record_from_text(R"([1,"2",[],[[[[[[[[]]]]]]]]])"));
  CHECK_FALSE(flight_record_from_text(std::string(3000, '[')));
  CHECK_FALSE(flight_record_from_text("[1,\"" + std::string(2 * kLargestFlightText, 'x') + "\",[]]"));
}

TEST_CASE("a group whose ranks do not fit in a text has none there, and all else") {
  FlightGroup group = made_group({}, 5);
  for (std::int64_t rank = 0, step = 1; rank < 6000; rank += step, step = 3 - step + rank % 2) {
    group.ranks.push_back(rank);
  }
  auto read = flight_record_from_text(to_text(made_record({group})));
  REQUIRE(read);
  CHECK((read->groups.at(0).ranks.empty() && read->groups[0].enqueued == 6 && read->groups[0].entries.size() == 4));
}

TEST_CASE("a short text cannot name ranks without end") {
  std::string groups;
  for (int i = 0; i < 60; ++i) { groups += (i > 0 ? "," : "") + std::string(R"(["g","0","","0-8000",1,null,1,[]])"); }
  const auto read = flight_record_from_text("[1,\"2\",[" + groups + "]]");
  REQUIRE(read);
  CHECK((read->groups[0].ranks.size() == 8001 && read->groups[1].ranks.empty() && read->groups[59].ranks.empty()));
}

TEST_CASE("records of two libraries in one process become one") {
  FlightRecord record = made_record({made_group({0, 1}, 3)});
  FlightGroup other = made_group({0, 1}, 9);
  other.library = "nccl";
  FlightRecord first;
  merge(first, record);
  CHECK(first == record);
  other.entries.clear();
  FlightRecord second = made_record({other});
  second.version = "3";
  merge(record, second);
  CHECK(record.version == "2.10");
  REQUIRE(record.groups.size() == 2);
  CHECK((record.groups[0].library == "gloo" && record.groups[1].library == "nccl" && record.groups[1].enqueued == 10));
  for (int i = 0; i < 10; ++i) { merge(record, made_record(std::vector<FlightGroup>(20, other))); }
  CHECK(record.groups.size() == FlightRecord::kMostGroups);
}
