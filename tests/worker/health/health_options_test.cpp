#include "worker/health/health_options.hpp"

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl::worker::health;
using namespace std::chrono_literals;
using Catch::Contains;

TEST_CASE("the command line of health has defaults, and is refused where it makes no sense") {
  const HealthOptions plain = parse_health_options({});
  CHECK_FALSE(plain.output);
  CHECK(plain.limit == 20s);
  CHECK_FALSE(plain.json);
  CHECK(plain.device.what == mdl::worker::device::Wish::What::automatic);
  CHECK(parse_health_options({"--output-dir", "run"}).output == "run");
  const HealthOptions given =
      parse_health_options({"--output", "run", "--seconds", "7", "--json", "true", "--device=cpu"});
  CHECK(given.output == "run");
  CHECK(given.limit == 7s);
  CHECK(given.json);
  CHECK(given.device.what == mdl::worker::device::Wish::What::cpu);
  CHECK(parse_health_options({"--seconds", "7", "--help"}).help);
  CHECK_THAT(parse_health_options({"--seconds", "7", "--print-config"}).printed_config, Contains("seconds: 7"));
  for (const auto& [words, problem] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--seconds", "0"}, "--seconds 0"},
           {{"--seconds", "99999999999"}, "--seconds"},
           {{"--seconds", "3601"}, "expected a number from 1 to 3600"},
           {{"--json"}, "--json"},
           {{"--device", "gpu"}, "--device gpu: expected auto, cuda or cpu"},
           {{"--outptu", "x"}, "--output"},
           {{"run"}, "run"}}) {
    CHECK_THROWS_AS(parse_health_options(words), mdl::UsageError);
    CHECK_THROWS_WITH(parse_health_options(words), Contains(problem));
  }
  CHECK_THAT(health_help(), Contains("usage: mdl-toolkit health") && Contains("--seconds"));
}
