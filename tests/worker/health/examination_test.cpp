#include "worker/health/examination.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "common/error.hpp"

using namespace mdl::worker::health;
using namespace std::chrono_literals;

TEST_CASE("a part that fails is told as not measured, and the next one follows") {
  Examination examination({.host = "node1"}, {"a", "b", "c"}, 1h, {});
  examination.part("a", [] { return HealthPart::Numbers{{"x", 1}}; });
  examination.part("b", []() -> HealthPart::Numbers { throw mdl::Error("the disk is full", "Free some space."); });
  examination.part("c", []() -> HealthPart::Numbers { throw std::runtime_error("odd"); });
  CHECK(examination.snapshot().parts.size() == 3);
  const HealthReport report = examination.finish();
  REQUIRE(report.parts.size() == 3);
  CHECK(report.parts[0].number("x") == 1);
  CHECK(report.parts[0].not_measured.empty());
  CHECK(report.parts[1].not_measured == "the disk is full");
  CHECK(report.parts[2].not_measured == "odd");
  CHECK(report.host == "node1");
}

TEST_CASE("a part that never ends is told at the limit, with those that it kept from being measured") {
  std::promise<HealthReport> told;
  Examination examination({}, {"a", "b", "c"}, 20ms, [&](const HealthReport& report) { told.set_value(report); });
  examination.part("a", [] { return HealthPart::Numbers{{"x", 1}}; });
  examination.part("b", [&] {
    auto report = told.get_future();  // the part goes on until somebody has heard of it
    REQUIRE(report.wait_for(60s) == std::future_status::ready);
    const HealthReport seen = report.get();
    REQUIRE(seen.parts.size() == 3);
    CHECK(seen.parts[0].not_measured.empty());
    CHECK(seen.parts[1].name == "b");
    CHECK(seen.parts[1].not_measured == "it did not end within 0.02 s");
    CHECK(seen.parts[2].not_measured == "b did not end within 0.02 s");
    CHECK_FALSE(seen.complete());
    CHECK(seen.milliseconds >= 20);
    return HealthPart::Numbers{};
  });
  CHECK(examination.left() == 0ms);
  CHECK((examination.snapshot().milliseconds >= 20 && examination.finish().milliseconds >= 20));
}

TEST_CASE("what never comes to a part is told as the examination's own") {
  std::promise<HealthReport> told;
  Examination examination({}, {"a", "b"}, 20ms, [&](const HealthReport& report) { told.set_value(report); });
  examination.part("a", [] { return HealthPart::Numbers{}; });
  auto report = told.get_future();
  REQUIRE(report.wait_for(60s) == std::future_status::ready);
  CHECK(report.get().parts.at(1).not_measured == "the examination did not end within 0.02 s");
}

TEST_CASE("an examination that is finished, or given up, is not told as stuck") {
  bool stuck = false;
  {
    Examination examination({}, {"a"}, 1h, [&](const HealthReport&) { stuck = true; });
    CHECK(examination.left() > 59min);
    examination.finish();
  }
  {
    const Examination given_up({}, {"a"}, 1h, [&](const HealthReport&) { stuck = true; });
  }
  CHECK_FALSE(stuck);
}
