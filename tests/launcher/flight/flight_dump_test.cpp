#include "launcher/flight/flight_dump.hpp"

#include <catch2/catch.hpp>
#include <functional>

#include "common/pickle/pickle_writer.hpp"
#include "common/str_cat.hpp"

using namespace mdl;
using namespace mdl::launcher::flight;
using Catch::Contains;

namespace {

/// An entry as torch's handler for JSON writes it.
std::string json_entry(int sequence, const std::string& more = R"("retired":true)") {
  return str_cat(R"({"collective_seq_id":)", sequence,
                 R"(,"input_dtypes":["Float"],"input_sizes":[[4]],"is_p2p":false,"op_id":1,"output_dtypes":["Float"],)",
                 R"("output_sizes":[[4]],"p2p_seq_id":0,"pg_id":0,"process_group":["0","default_pg"],)",
                 R"("profiling_name":"gloo:all_reduce","state":"scheduled","time_created_ns":1764420000123456789,)",
                 more, "}");
}

std::string json_dump(const std::string& entries, const std::string& configs = "") {
  return R"({"comm_lib_version":"","entries":[)" + entries + R"(],"pg_config":{)" + configs +
         R"(},"pg_status":{},"version":"2.10"})";
}

FlightRecord record_of(const std::string& dump) {
  const auto record = read_flight_record(dump);
  if (!record) { throw std::runtime_error(record.error()); }
  return *record;
}

std::string reason_for(const std::string& dump) {
  const auto record = read_flight_record(dump);
  return record ? "" : record.error();
}

std::string pickled(const std::function<void(PickleWriter&)>& write) {
  PickleWriter writer(PickleWriter::Protocol::two);
  write(writer);
  return writer.finish();
}

void write_entry(PickleWriter& out, int sequence, const std::string& library, const std::string& state, bool retired) {
  out.empty_dict();
  out.mark();
  out.string("frames");
  out.empty_list();
  out.string("collective_seq_id");
  out.integer(sequence);
  out.string("process_group");
  out.string("0");
  out.string("undefined");
  out.tuple(2);
  out.string("profiling_name");
  out.string(library + ":_all_gather_base");
  out.string("input_sizes");
  out.empty_list();
  out.mark();
  out.empty_list();
  out.mark();
  out.integer(5);
  out.integer(3);
  out.appends();
  out.appends();
  out.string("state");
  out.string(state);
  out.string("retired");
  out.boolean(retired);
  out.string("is_p2p");
  out.boolean(false);
  out.set_items();
}

std::string pickled_dump(const std::function<void(PickleWriter&)>& write_entries) {
  return pickled([&](PickleWriter& out) {
    out.empty_dict();
    out.mark();
    out.string("version");
    out.string("2.7");
    out.string("pg_config");
    out.empty_dict();
    out.mark();
    out.string("0");
    out.empty_dict();
    out.mark();
    out.string("name");
    out.string("0");
    out.string("desc");
    out.string("tp");
    out.string("ranks");
    out.string("[8, 0, 16]");
    out.set_items();
    out.set_items();
    out.string("entries");
    out.empty_list();
    out.mark();
    write_entries(out);
    out.appends();
    out.set_items();
  });
}

}  // namespace

TEST_CASE("a dump of Gloo's operations is read, of which torch only says that they are done") {
  const FlightRecord record =
      record_of(json_dump(json_entry(1) + "," + json_entry(2) + "," + json_entry(3, R"("retired":false)"),
                          R"("":{"desc":"","name":"","ranks":"[0, 1]"})"));
  CHECK(record.version == "2.10");
  REQUIRE(record.groups.size() == 2);
  const FlightGroup& group = record.groups[0];
  CHECK((group.library == "gloo" && group.name == "0" && group.description == "default_pg" && group.ranks.empty()));
  CHECK((group.enqueued == 3 && group.completed == 2 && group.started == 2));
  REQUIRE(group.entries.size() == 3);
  CHECK((group.entries[1].state == FlightState::completed && group.entries[2].state == FlightState::scheduled));
  const FlightEntry& entry = group.entries[2];
  CHECK((entry.sequence == 3 && !entry.p2p && entry.operation == "all_reduce" && entry.types == "Float"));
  CHECK((entry.input_sizes == "[[4]]" && entry.output_sizes == "[[4]]"));
  CHECK(entry.created_ns == 1'764'420'000'123'456'789);
  CHECK((record.groups[1].ranks == std::vector<std::int64_t>{0, 1} && record.groups[1].entries.empty()));
}

TEST_CASE("a pickled dump is read, with the states that NCCL's operations have") {
  const FlightRecord record = record_of(pickled_dump([](PickleWriter& out) {
    write_entry(out, 7, "nccl", "completed", true);
    write_entry(out, 8, "nccl", "started", true);  // it has timed out
    write_entry(out, 9, "nccl", "scheduled", false);
  }));
  REQUIRE(record.groups.size() == 1);
  const FlightGroup& group = record.groups[0];
  CHECK((group.library == "nccl" && group.description == "tp" && group.ranks == std::vector<std::int64_t>{0, 8, 16}));
  CHECK((group.completed == 7 && group.started == 8 && group.enqueued == 9));
  REQUIRE(group.entries.size() == 3);
  CHECK((group.entries[0].state == FlightState::completed && group.entries[1].state == FlightState::started));
  CHECK((group.entries[2].operation == "_all_gather_base" && group.entries[2].input_sizes == "[[5, 3]]"));
}

TEST_CASE("sends and receives are counted by themselves") {
  const FlightRecord record = record_of(json_dump(
      json_entry(4) + "," +
      R"({"process_group":["0","x"],"profiling_name":"gloo:recv 3<-?","is_p2p":true,"p2p_seq_id":9,"collective_seq_id":4})"));
  const FlightGroup& group = record.groups.at(0);
  CHECK(group.enqueued == 4);
  CHECK((group.entries.at(1).p2p && group.entries[1].sequence == 9 && group.entries[1].operation == "recv 3<-?"));
}

TEST_CASE("of a large dump the newest entries are kept, and the first that is not done") {
  std::string entries;
  for (int i = 1; i <= 20'000; ++i) {
    entries += (i > 1 ? "," : "") + json_entry(i, i == 150 ? R"("retired":false)" : R"("retired":true)");
  }
  const FlightGroup group = record_of(json_dump(entries)).groups.at(0);
  CHECK((group.enqueued == 20'000 && group.completed == 20'000));
  CHECK(group.entries.size() == FlightRecord::kMostEntries);
  CHECK(std::count_if(group.entries.begin(), group.entries.end(),
                      [](const FlightEntry& entry) { return entry.sequence == 150; }) == 1);
}

TEST_CASE("sizes that are too long to keep still differ where they differ") {
  const auto sizes = [](int last) {
    std::string list;
    for (int i = 0; i < 100; ++i) { list += "[1000],"; }
    return record_of(
               json_dump(R"({"process_group":["0","x"],"profiling_name":"g:r","collective_seq_id":1,"input_sizes":[)" +
                         list + "[" + std::to_string(last) + "]]}"))
        .groups.at(0)
        .entries.at(0)
        .input_sizes;
  };
  CHECK(sizes(1).size() == 96);
  CHECK(sizes(1) == sizes(1));
  CHECK(sizes(1) != sizes(2));
}

TEST_CASE("what is no dump says so in short") {
  CHECK(reason_for("") == "the dump is empty");
  CHECK_THAT(reason_for("\x80\x02"), Contains("the dump cannot be read: pickle, byte 2"));
  CHECK_THAT(reason_for("\x80\x02]."), Contains("none of torch's flight recorder"));
  CHECK_THAT(reason_for("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0ftouch /tmp/mine\x85R."),
             Contains("none of torch"));
  CHECK_THAT(reason_for("hello"), Contains("no JSON object"));
  CHECK_THAT(reason_for("[]"), Contains("no JSON object"));
  CHECK_THAT(reason_for("{}"), Contains("none of torch's flight recorder"));
  CHECK_THAT(reason_for(std::string(5000, '[')), Contains("nests too deeply"));
  CHECK_THAT(reason_for("\x80\x04\x1b[2J"), Contains("opcode") && !Contains("\x1b"));
  CHECK_THAT(reason_for(std::string(kLargestDump + 1, ' ')), Contains("has 67108865 bytes"));
}

TEST_CASE("a dump with wrong parts is read as far as it goes") {
  const FlightRecord record = record_of(json_dump(
      R"(7,null,[],{},{"process_group":7},{"process_group":[]},{"process_group":["0"],"collective_seq_id":-1},)"
      R"({"process_group":["0"],"collective_seq_id":1e300},{"process_group":["0"],"collective_seq_id":18446744073709551615},)"
      R"({"process_group":["0\u001b[2J",7],"profiling_name":"no library \u0007","collective_seq_id":5,"state":7,)"
      R"("input_sizes":[7,[-1,"x"],[1.5]],"output_sizes":{},"input_dtypes":[1,null],"retired":"yes","is_p2p":1})",
      R"("a":7,"b":{"name":7,"ranks":"[0, 1"},"c":{"name":"c","ranks":"[0, -1]"},"d":{"name":"d","ranks":[3,1,1]})"));
  REQUIRE_FALSE(record.groups.empty());
  const FlightGroup& group = record.groups[0];
  CHECK((group.name == "0" && group.library.empty() && group.entries.size() == 1 && group.enqueued == 5));
  CHECK(group.entries[0].operation == "no library ");
  CHECK((group.entries[0].input_sizes == "[?, [?, ?], [?]]" && group.entries[0].output_sizes == "[]"));
  CHECK((record.groups.back().name == "d" && record.groups.back().ranks == std::vector<std::int64_t>{1, 3}));
}

TEST_CASE("types are told once each, a name from the configuration where the operation has none, and all are short") {
  const auto entry = [](const std::string& more) {
    return R"({"process_group":["0","undefined"],"profiling_name":"g:r","collective_seq_id":1,)" + more + "}";
  };
  const auto read = [&](const std::string& more, const std::string& configs = "") {
    return record_of(json_dump(entry(more), configs)).groups.at(0);
  };
  CHECK(read(R"("input_dtypes":["Float","Float","Int","Float"])").entries[0].types == "Float,Int,Float");
  CHECK(read(R"("input_dtypes":["Float"],"output_dtypes":["Double"])").entries[0].types == "Float>Double");
  CHECK(read(R"("input_dtypes":["Float"],"output_dtypes":[])").entries[0].types == "Float");
  CHECK(read(R"("input_dtypes":7)").entries[0].types.empty());
  std::string many;
  for (int i = 0; i < 50; ++i) { many += (i > 0 ? "," : "") + std::string(i % 2 ? "\"Int\"" : "\"Float\""); }
  CHECK(read(R"("input_dtypes":[)" + many + "]").entries[0].types.size() == 48);
  CHECK(read(R"("x":0)", R"("0":{"name":"0","desc":"tp","ranks":"[1, 0]"})").description == "tp");
  std::string ranks = "0";
  for (std::size_t i = 1; i < FlightRecord::kMostRanks; ++i) { ranks += "," + std::to_string(i); }
  CHECK(read(R"("x":0)", R"("0":{"name":"0","ranks":")"
                         "[" +
                             ranks + "]\"}")
            .ranks.size() == FlightRecord::kMostRanks);
  CHECK(read(R"("x":0)", R"("0":{"name":"0","ranks":")"
                         "[" +
                             ranks + ",65536]\"}")
            .ranks.empty());
}

TEST_CASE("of very many groups the first are read, those of operations before those of which nothing is known") {
  std::string entries, configs;
  for (int i = 100; i < 200; ++i) {
    const std::string name = std::to_string(i);
    entries += str_cat(i > 100 ? "," : "", R"({"process_group":[")", name,
                       R"("],"profiling_name":"g:r","collective_seq_id":1})");
    configs += str_cat(i > 100 ? "," : "", "\"", name, R"(":{"name":"x)", name, R"(","ranks":[0]})");
  }
  entries += R"(,{"process_group":["100"],"profiling_name":"g:r","collective_seq_id":9})";
  const FlightRecord record = record_of(json_dump(entries, configs));
  CHECK((record.groups.size() == FlightRecord::kMostGroups && record.groups.back().name == "163"));
  CHECK(record.groups.front().enqueued == 9);
  const FlightRecord unused = record_of(json_dump("", configs));
  CHECK((unused.groups.size() == FlightRecord::kMostGroups && unused.groups.back().name == "x163"));
}

TEST_CASE("a dump that refers to itself, or says one thing over and over, takes little") {
  // A list that has itself, many times, as its elements; and an entry of a hundred thousand such lists.
  const std::string circle = pickled_dump([](PickleWriter& out) {
    for (int i = 0; i < 3; ++i) {
      out.empty_dict();
      out.mark();
      out.string("process_group");
      out.empty_list();
      const auto list = out.memoize();
      out.mark();
      for (int k = 0; k < 100'000; ++k) { out.get(list); }
      out.appends();
      out.set_items();
    }
  });
  CHECK(record_of(circle).groups.size() == 1);
  std::string many(R"({"version":"2","x":[)");
  for (int i = 0; i < 2'100'000; ++i) { many += "1,"; }
  CHECK_THAT(reason_for(many + "1]}"), Contains("too many values"));
}
