#include "launcher/straggler/straggler_teller.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace mdl::launcher;
using namespace mdl::launcher::straggler;
using namespace std::chrono_literals;

TEST_CASE("a rank that is slow, and is so no longer, is an event of the job each time") {
  std::vector<std::pair<std::string, std::string>> events;
  StragglerTeller teller(50ms,
                         [&](const std::string& kind, const std::string& text) { events.emplace_back(kind, text); });
  watch::JobView view;
  view.told.resize(1);
  view.told[0].host = "node0";
  view.told[0].ranks.resize(2);
  for (auto& rank : view.told[0].ranks) { rank.own = rank.step_age = 1; }
  view.told[0].ranks[1].own = 2;
  CHECK(teller.look(view) == 25ms);
  view.at += 50ms;
  teller.look(view);
  REQUIRE(events.size() == 1);
  CHECK(events[0].first == "straggler");
  CHECK_THAT(events[0].second, Catch::StartsWith("rank 1 on node0 is slow: 2 s of its own a step"));
  view.told[0].ranks[1].own = 1;
  teller.look(view);
  REQUIRE(events.size() == 2);
  CHECK(events[1] == std::pair<std::string, std::string>("straggler", "rank 1 on node0 is slow no longer"));
  CHECK(StragglerTeller(60s, nullptr).look({}) == 10s);  // it is looked each ten seconds, if not more often
}

TEST_CASE("the time after which a rank is slow is a minute, or what the variable says where that is a number") {
  CHECK(straggler_time(std::nullopt) == 60s);
  CHECK(straggler_time("") == 60s);
  CHECK(straggler_time("0.25") == 250ms);
  for (const char* wrong : {"0", "-1", "x", "1e6", "nan"}) {
    CAPTURE(wrong);
    CHECK(straggler_time(wrong) == 60s);
  }
}
