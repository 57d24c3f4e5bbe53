#include "worker/reports/page/sidecar.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl::worker::reports::page;
using Catch::Contains;

namespace {

StepRecord record(std::int64_t step) {
  return {.step = step, .samples = 8, .seconds = 0.5, .process_bytes = 1000 + step, .gpu_bytes = 0};
}

}  // namespace

TEST_CASE("a sidecar reads back as it was written") {
  Sidecar sidecar{.begins = {{.kind = RunBegin::Kind::restarted, .step = 3, .ranks = 2, .time = 77, .seconds = 1.25}}};
  sidecar.add(record(4));
  sidecar.add(record(7));
  const Sidecar again = parse_sidecar(sidecar.to_json(), "mdl_history.json");
  CHECK(again.begins == sidecar.begins);
  CHECK(again.records == sidecar.records);
  CHECK(again.samples_per_second() == Points{{4, 16}, {7, 16}});
  CHECK(again.gpu_memory().empty());
}

TEST_CASE("a sidecar stays small: old records become one, and nothing of them is lost") {
  Sidecar sidecar;
  for (std::int64_t step = 1; step <= 100'000; ++step) { sidecar.add(record(step)); }
  CHECK(sidecar.records.size() <= Sidecar::kMostRecords);
  CHECK(sidecar.records.size() > Sidecar::kMostRecords / 3);
  double samples = 0;
  for (const StepRecord& each : sidecar.records) { samples += each.samples; }
  CHECK(samples == 800'000);
  CHECK(sidecar.records.back().step == 100'000);
  CHECK(sidecar.records.back().process_bytes == 101'000);
  CHECK(sidecar.to_json().size() < 600'000);
  CHECK(parse_sidecar(sidecar.to_json(), "f").records == sidecar.records);
}

TEST_CASE("a sidecar is cut back to a step") {
  Sidecar sidecar{.begins = {{.step = 0}, {.kind = RunBegin::Kind::resumed, .step = 9}}};
  for (std::int64_t step = 1; step <= 20; ++step) { sidecar.add(record(step)); }
  sidecar.cut_back(8);
  CHECK(sidecar.records.back().step == 8);
  CHECK(sidecar.begins.size() == 1);
}

TEST_CASE("a sidecar that makes no sense is an error with its file") {
  const std::string begin = R"({"begins": [], "records": )";
  for (const std::string& text :
       {std::string("["), std::string("{}"), begin + "[[1,2]]}", begin + "[[2,1,1,1,1],[1,1,1,1,1]]}",
        begin + "[[-1,1,1,1,1]]}", begin + "[[1,\"x\",1,1,1]]}",
        begin + std::string(100, '[') + std::string(100, ']') + "}",
        std::string(R"({"begins": [{"kind": "x", "step": 0, "ranks": 1, "time": 0, "seconds": 0}], "records": []})")}) {
    CHECK_THROWS_WITH(parse_sidecar(text, "x/mdl_history.json"), Contains("x/mdl_history.json"));
    CHECK_THROWS_AS(parse_sidecar(text, "x/mdl_history.json"), mdl::UsageError);
  }
}
