#include "worker/health/health_report.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace mdl::worker::health;
using Catch::Contains;

namespace {

HealthReport whole_report() {
  HealthReport report{
      .host = "node1", .rank = 3, .local_rank = 1, .world_size = 4, .name = "Fast CPU", .type = "float32"};
  report.threads = 2;
  report.milliseconds = 598;
  report.output = "/out";
  report.parts = {{"memory", {{"free_bytes", 17'200'000'000}, {"total_bytes", 23'400'000'000}}, ""},
                  {"matrix_product", {{"flop_per_s", 52'340'000'000}, {"repeats", 9}}, ""},
                  {"memory_copy", {}, "out of memory\nC++ stack"},
                  {"all_reduce_node",
                   {{"bytes_per_s", 2'100'000'000}, {"latency_ns", 45'300}, {"ranks", 2}, {"bytes", 1 << 20}},
                   ""},
                  {"gpu_errors", {{"ecc_corrected", 7}, {"ecc_uncorrected", 2}, {"pending_rows", 1}}, ""},
                  {"disk", {{"write_bytes_per_s", 412'000'000}, {"free_bytes", 73'100'000'000}}, ""}};
  return report;
}

}  // namespace

TEST_CASE("a health report is one line of JSON with a version") {
  const std::string line = health_line(whole_report());
  CHECK(line.find('\n') == std::string::npos);
  const auto json = nlohmann::json::parse(line);
  CHECK(json.at("mdl_toolkit_health") == 1);
  CHECK(json.at("host") == "node1");
  CHECK(json.at("rank") == 3);
  CHECK(json.at("local_rank") == 1);
  CHECK(json.at("world_size") == 4);
  CHECK(json.at("device") == "cpu");
  CHECK(json.at("type") == "float32");
  CHECK((json.at("threads") == 2 && json.at("milliseconds") == 598));
  CHECK(json.at("matrix_product") == nlohmann::json{{"flop_per_s", 52'340'000'000}, {"repeats", 9}});
  CHECK(json.at("memory_copy") == nlohmann::json{{"not_measured", "out of memory"}});
  CHECK(json.at("disk").at("write_bytes_per_s") == 412'000'000);
  HealthReport gpu = whole_report();
  gpu.on_gpu = true;
  CHECK(nlohmann::json::parse(health_line(gpu)).at("device") == "cuda");
}

TEST_CASE("a health report for people has a line for each part") {
  HealthReport report = whole_report();
  report.host = "node\x1b[31m1";
  const std::string text = health_text(report);
  CHECK_THAT(text, Contains(", rank 3: CPU (Fast CPU), float32, 2 threads\n"));
  CHECK_THAT(text, Contains("  free memory               17.2 GB of 23.4 GB\n"));
  CHECK_THAT(text, Contains("  matrix product            52.3 GFLOP/s\n"));
  CHECK_THAT(text, Contains("  memory copy               not measured: out of memory\n"));
  CHECK_THAT(text,
             Contains("  all-reduce in the node    2.1 GB/s of bus bandwidth, 45.3 µs for a few bytes (2 ranks)\n"));
  CHECK_THAT(text, Contains("2 uncorrected and 7 corrected ECC errors, 0 Xid errors, memory to be replaced"));
  CHECK_THAT(text, Contains("  disk                      412 MB/s written, 73.1 GB free (/out)\n"));
  CHECK_THAT(text, !Contains("\x1b"));
  report.on_gpu = true;
  report.world_size = 1;
  CHECK_THAT(health_text(report), Contains("1: GPU 1 (Fast CPU), float32\n"));
  report.on_gpu = false;
  report.threads = 1;
  report.parts = {{"memory_copy", {{"bytes_per_s", 999'600'000}}, ""},
                  {"gpu_errors", {{"xid_errors", 3}}, ""},
                  {"all_reduce", {{"bytes_per_s", 1000}, {"latency_ns", 2000}, {"ranks", 4}}, ""}};
  const std::string other = health_text(report);
  CHECK_THAT(other, Contains(", 1 thread\n") && Contains("  memory copy               1 GB/s\n"));
  CHECK_THAT(other, Contains("0 corrected ECC errors, 3 Xid errors\n"));
  CHECK_THAT(other, Contains("  all-reduce of all ranks   1 kB/s of bus bandwidth, 2 µs for a few bytes (4 ranks)\n"));
}

TEST_CASE("a report is complete when each of its parts was measured") {
  HealthReport report = whole_report();
  CHECK_FALSE(report.complete());
  report.parts[2].not_measured.clear();
  CHECK(report.complete());
}

TEST_CASE("bytes of a report that are no UTF-8, and long texts, harm no reader") {
  HealthReport report = whole_report();
  report.host = "\xff\xfe";
  report.name = std::string(100'000, 'x');
  report.parts[2].not_measured = std::string(100'000, 'y');
  const std::string line = health_line(report);
  CHECK(line.size() < 4096);
  CHECK_NOTHROW(nlohmann::json::parse(line));
}

TEST_CASE("the bus bandwidth of an all-reduce does not depend on the number of ranks") {
  CHECK(bus_bandwidth(1000, 2, 1.0) == 1000);
  CHECK(bus_bandwidth(1000, 4, 1.0) == 1500);
  CHECK(bus_bandwidth(1000, 1000, 0.5) == 3996);
  CHECK(bus_bandwidth(1000, 1, 1.0) == 0);
  CHECK(bus_bandwidth(1000, 2, 0.0) == 0);
}
