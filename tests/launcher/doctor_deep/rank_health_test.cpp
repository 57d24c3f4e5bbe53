#include "launcher/doctor_deep/rank_health.hpp"

#include <catch2/catch.hpp>

#include "launcher/doctor_deep/health_programs.hpp"

using namespace mdl::launcher::doctor_deep;
using Catch::Contains;
using nlohmann::json;

namespace {

json whole_line() {
  return {{"mdl_toolkit_health", 1},
          {"host", "node1"},
          {"rank", 11},
          {"local_rank", 3},
          {"device", "cuda"},
          {"name", "NVIDIA H200"},
          {"type", "bfloat16"},
          {"matrix_product", {{"flop_per_s", 700'000'000'000'000}, {"repeats", 9}}},
          {"memory_copy", {{"bytes_per_s", 3'900'000'000'000}}},
          {"all_reduce_node", {{"bytes_per_s", 400'000'000'000}, {"latency_ns", 14'200}}},
          {"all_reduce", {{"not_measured", "rank 2 did not answer"}}},
          {"memory", {{"free_bytes", 140'000'000'000}}},
          {"disk", {{"write_bytes_per_s", 412'000'000}, {"free_bytes", 73'100'000'000}}},
          {"gpu_errors",
           {{"ecc_uncorrected", 0}, {"ecc_corrected", 2}, {"pending_rows", 0}, {"xid_errors", 1}, {"last_xid", 79}}}};
}

}  // namespace

TEST_CASE("a line of mdl-toolkit health has what one process has measured, and why it has not measured the rest") {
  const auto health = parse_health_line(whole_line().dump());
  REQUIRE(health);
  CHECK(health->rank == 11);
  CHECK(health->local_rank == 3);
  CHECK(health->on_gpu);
  CHECK(health->name == "NVIDIA H200");
  CHECK(health->type == "bfloat16");
  CHECK(health->matrix_product == Measured{700'000'000'000'000, ""});
  CHECK(health->memory_copy.value == 3'900'000'000'000);
  CHECK(health->node_all_reduce.value == 400'000'000'000);
  CHECK(health->node_latency.value == 14'200);
  CHECK(health->all_reduce == Measured{std::nullopt, "rank 2 did not answer"});
  CHECK(health->free_memory.value == 140'000'000'000);
  CHECK(health->disk_write.value == 412'000'000);
  CHECK(health->free_disk.value == 73'100'000'000);
  CHECK(health->uncorrected_errors.value == 0);
  CHECK(health->corrected_errors.value == 2);
  CHECK(health->xid_errors.value == 1);
  CHECK(health->last_xid.value == 79);
}

TEST_CASE("what a node says of its health is the same after it went through the exchange") {
  NodeHealth health{.problem = "one is missing", .advice = "look", .ranks = {*parse_health_line(whole_line().dump())}};
  const NodeHealth read = json::parse(json(health).dump()).get<NodeHealth>();
  CHECK(read.problem == health.problem);
  CHECK(read.advice == health.advice);
  CHECK(read.ranks == health.ranks);
  CHECK_THROWS_AS(json::parse(R"({"ranks": [{"rank": 1}]})").get<NodeHealth>(), json::exception);
}

TEST_CASE("what is no line of mdl-toolkit health is refused with the reason") {
  const auto why = [](const std::string& text) {
    const auto read = parse_health_line(text);
    REQUIRE_FALSE(read);
    return read.error();
  };
  CHECK(why("hello") == "it is no JSON");
  CHECK(why("[1]") == "it is no line of mdl-toolkit health");
  CHECK(why(R"({"rank": 0})") == "it is no line of mdl-toolkit health");
  CHECK(why(R"({"mdl_toolkit_health": 2, "rank": 0, "local_rank": 0})") == "it is of another version of mdl-toolkit");
  CHECK(why(R"({"mdl_toolkit_health": 1, "local_rank": 0})") == "it does not say whose it is");
  CHECK(why(R"({"mdl_toolkit_health": 1, "rank": -1, "local_rank": 0})") == "it does not say whose it is");
  CHECK(why(std::string(100'000, '[')) == "it has more than 64 KiB");
  CHECK(why(std::string(1000, '[')) == "it nests too deeply");
}

TEST_CASE("numbers that make no sense are not there, and texts are bounded and steer no terminal") {
  json line = whole_line();
  line["matrix_product"]["flop_per_s"] = -1;
  line["memory_copy"]["bytes_per_s"] = 1e300;
  line["memory"]["free_bytes"] = std::uint64_t{1} << 63;
  line["disk"] = 7;
  line["all_reduce"]["not_measured"] = "\x1b[31m" + std::string(10'000, 'x') + "\n";
  line["name"] = json::array();
  const auto health = parse_health_line(line.dump());
  REQUIRE(health);
  CHECK(health->matrix_product == Measured{});
  CHECK(health->memory_copy == Measured{});
  CHECK(health->free_memory == Measured{});
  CHECK(health->disk_write == Measured{});
  CHECK(health->all_reduce.not_measured == std::string(300, 'x'));
  CHECK(health->name.empty());
}

TEST_CASE("the line is the last one that may be one, whatever a program has printed around it") {
  CHECK(health_line_of("warming up\n{\"a\": 1}\n{\"b\": 2}\ndone\n") == "{\"b\": 2}");
  CHECK(health_line_of("{\"a\": 1}") == "{\"a\": 1}");
  CHECK(health_line_of("hello\n") == "hello\n");
  CHECK(health_line_of("\n\n{}\n\n") == "{}");
  CHECK(health_line_of("").empty());
}
