#include "launcher/straggler/straggler_teller.hpp"

#include <catch2/catch.hpp>
#include <utility>

using namespace mdl::launcher;
using namespace mdl::launcher::straggler;
using namespace std::chrono_literals;

TEST_CASE("slow ranks of a host are one event, and one of another kind when they have recovered together") {
  std::vector<progress::JobEvent> events;
  StragglerTeller teller(60s, [&](progress::JobEvent event) { events.push_back(std::move(event)); });
  watch::JobView view;
  view.round = 3;
  view.told.resize(1);
  view.told[0].host = "node0";
  view.told[0].ranks.resize(4);
  const auto look_with = [&](double own) {
    for (int i = 0; i < 8; ++i) {
      view.at += 10s;
      for (std::size_t rank = 0; rank < 4; ++rank) {
        progress::RankSummary& said = view.told[0].ranks[rank];
        said.own = rank < 2 ? 1 : own;
        said.own_step = said.own_step.value_or(0) + 10;
        said.step_age = 1;
      }
      teller.look(view);
    }
  };
  look_with(2);
  look_with(1);
  REQUIRE(events.size() == 2);
  CHECK((events[0].kind == "straggler" && events[0].text.starts_with("2 ranks on node0 are slow, ")));
  CHECK((events[1].kind == "recovered" && events[1].text == "2 ranks on node0 are slow no longer: 2, 3"));
  for (const auto& event : events) { CHECK(event.slow == progress::SlowFacts{3, {2, 3}}); }
}

TEST_CASE("the time after which a rank is slow is a minute, or what the variable says where that is a number") {
  CHECK(straggler_time(std::nullopt) == 60s);
  CHECK(straggler_time("") == 60s);
  CHECK(straggler_time("0.25") == 250ms);
  for (const char* wrong : {"0", "-1", "x", "1e6", "nan"}) {
    CAPTURE(wrong);
    CHECK(straggler_time(wrong) == 60s);
  }
  CHECK(StragglerTeller(60s, nullptr).look({}) == 10s);  // it is looked each ten seconds, if not more often
}
