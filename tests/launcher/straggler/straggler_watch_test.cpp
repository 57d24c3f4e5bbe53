#include "launcher/straggler/straggler_watch.hpp"

#include <array>
#include <catch2/catch.hpp>

using namespace mdl::launcher::straggler;
using namespace std::chrono_literals;
using mdl::launcher::watch::JobView;
using mdl::launcher::watch::NodeView;

namespace {

/// Two nodes of two ranks each, of which all take 1 s of their own and wait 0.5 s.
struct SlowJob {
  SlowJob() {
    view.nodes = 2;
    for (std::int64_t node = 0; node < 2; ++node) {
      NodeView& told = view.told.emplace_back();
      told.group_rank = node;
      told.host = node == 0 ? "node0" : "node1";
      told.first_rank = 2 * node;
      told.ranks.resize(2);
      for (auto& rank : told.ranks) {
        rank.own = 1.0;
        rank.waiting = 0.5;
        rank.step_age = 1.0;
        rank.own_step = 0;
        rank.gpu = "84 °C";
      }
    }
  }
  auto& rank(std::int64_t number) {
    return view.told[static_cast<std::size_t>(number / 2)].ranks[static_cast<std::size_t>(number % 2)];
  }
  void set(std::int64_t number, double own, double waiting) {
    rank(number).own = own;
    rank(number).waiting = waiting;
  }
  /// Looks each 10 s for so long; each rank has told its own time since the last look, unless there is a `pause`.
  StragglerWatch::Change look_for(std::chrono::seconds time, bool pause = false) {
    StragglerWatch::Change all;
    for (auto passed = 0s; passed < time; passed += 10s) {
      view.at += 10s;
      for (NodeView& node : view.told) {
        for (auto& each : node.ranks) { *each.own_step += pause ? 0 : 10; }
      }
      const auto change = watch.look(view);
      all.slow.insert(all.slow.end(), change.slow.begin(), change.slow.end());
      all.recovered.insert(all.recovered.end(), change.recovered.begin(), change.recovered.end());
    }
    return all;
  }

  JobView view{};
  StragglerWatch watch{};
};

}  // namespace

TEST_CASE("the rank that the others wait for is named once, after a minute, and again told when it is over") {
  SlowJob job;
  job.set(3, 1.4, 0.1);
  CHECK(job.look_for(60s).slow.empty());
  const auto told = job.look_for(10s);
  REQUIRE(told.slow.size() == 1);
  CHECK(told.slow[0] == Straggler{3, "node1", 1.4, 1.0, "84 °C"});
  CHECK(job.look_for(120s).slow.empty());
  job.set(3, 1.25, 0.1);  // between the limits it is still the same
  CHECK(job.look_for(20s).recovered.empty());
  job.set(3, 1.1, 0.4);
  const auto over = job.look_for(20s);
  REQUIRE(over.recovered.size() == 1);
  CHECK(over.recovered[0].rank == 3);
  job.set(3, 1.4, 0.1);
  CHECK(job.look_for(60s).slow.empty());
  CHECK(job.look_for(10s).slow.size() == 1);
}

TEST_CASE("a rank that is slow for less than a minute is not named") {
  SlowJob job;
  for (int i = 0; i < 3; ++i) {
    job.set(1, 2, 0.1);
    CHECK(job.look_for(50s).slow.empty());
    job.set(1, 1, 0.5);
    const auto change = job.look_for(10s);
    CHECK(change.slow.empty());
    CHECK(change.recovered.empty());  // nobody was told of it
  }
  // It has to be above the limit, not only above the one at which it would be over.
  job.set(1, 1.4, 0.1);
  CHECK(job.look_for(50s).slow.empty());
  job.set(1, 1.25, 0.1);
  CHECK(job.look_for(60s).slow.empty());
}

TEST_CASE("the measure is the median, of an even number the lower one in the middle, whatever the order of the ranks") {
  for (std::int64_t slow = 0; slow < 4; ++slow) {
    SlowJob job;
    for (std::int64_t i = 0; i < 4; ++i) {
      job.set((slow + i) % 4, std::array{1.4, 0.8, 1.0, 1.2}[static_cast<std::size_t>(i)], 0.1);
    }
    const auto told = job.look_for(70s).slow;
    REQUIRE(told.size() == 1);
    CHECK((told[0].rank == slow && told[0].median == 1.0));
  }
}

TEST_CASE("of two ranks the faster one is the measure, and one alone, or none, is not judged") {
  SlowJob job;
  job.view.told.pop_back();
  job.set(0, 1.4, 0.5);  // it waits no longer than the median does
  const auto told = job.look_for(70s).slow;
  REQUIRE(told.size() == 1);
  CHECK((told[0].rank == 0 && told[0].median == 1.0));
  job.view.told[0].ranks.pop_back();
  CHECK(job.look_for(10s).recovered.empty());
  job.view.told.clear();
  const auto none = job.look_for(120s);
  CHECK((none.slow.empty() && none.recovered.empty()));
}

TEST_CASE("a rank that waits more than most is no straggler, whatever its own time is") {
  SlowJob job;
  job.set(2, 1.5, 0.9);
  CHECK(job.look_for(120s).slow.empty());
}

TEST_CASE("a little more than the median, or very short steps, make no straggler") {
  SlowJob job;
  job.set(0, 1.29, 0.1);
  CHECK(job.look_for(120s).slow.empty());
  for (std::int64_t rank = 0; rank < 4; ++rank) { job.set(rank, 0.004, 0.001); }
  job.set(0, 0.008, 0);
  CHECK(job.look_for(120s).slow.empty());
  job.set(0, 0.0095, 0);
  CHECK(job.look_for(120s).slow.size() == 1);
}

TEST_CASE("who sends steps alone, has told nothing for long or stands still is not judged") {
  SlowJob job;
  job.set(3, 2, 0.1);
  SECTION("steps alone") {
    for (std::int64_t rank = 0; rank < 3; ++rank) { job.rank(rank).own.reset(); }
    CHECK(job.look_for(120s).slow.empty());
  }
  SECTION("an old summary") {
    job.view.told[1].told_age = 16;
    CHECK(job.look_for(120s).slow.empty());
  }
  SECTION("no step for a minute") {
    job.rank(3).step_age = 61;
    CHECK(job.look_for(120s).slow.empty());
    for (std::int64_t rank = 0; rank < 4; ++rank) { job.set(rank, 30, 1); }
    job.set(3, 60, 0.1);  // whose steps take as long
    CHECK(job.look_for(120s).slow.size() == 1);
  }
}

TEST_CASE("ranks that tell each fiftieth step, more than a minute apart, are judged as well") {
  SlowJob job;
  job.set(3, 2, 0.1);
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    job.rank(rank).longest_step = 100;
    job.rank(rank).step_age = 99;
  }
  CHECK(job.look_for(70s).slow.size() == 1);
}

TEST_CASE("whoever is not judged stays slow, silently, until he is judged again") {
  SlowJob job;
  job.set(3, 2, 0.1);
  CHECK(job.look_for(70s).slow.size() == 1);
  const auto nothing_is_told = [&] {
    const auto change = job.look_for(120s);
    CHECK((change.slow.empty() && change.recovered.empty()));
  };
  SECTION("the job stands still") {
    for (std::int64_t rank = 0; rank < 4; ++rank) { job.rank(rank).step_age = 61; }
    nothing_is_told();
  }
  SECTION("its node has told nothing for long, and what is known of it is as it was") {
    job.view.told[1].told_age = 16;
    nothing_is_told();
  }
  SECTION("the others' node has told nothing for long, so that the slow ones alone are left") {
    job.set(2, 2, 0.1);
    job.view.told[0].told_age = 16;
    nothing_is_told();
  }
  SECTION("it says nothing of its own time any more") {
    job.rank(3).own.reset();
    nothing_is_told();
    job.rank(3).own = 2;
  }
  SECTION("it is held up itself") {
    job.rank(3).waiting = 0.9;
    nothing_is_told();
  }
  for (std::int64_t rank = 0; rank < 4; ++rank) { job.rank(rank).step_age = 1; }
  job.view.told[0].told_age = job.view.told[1].told_age = 1;
  job.set(2, 1, 0.5);
  job.set(3, 2, 0.1);
  nothing_is_told();
  job.set(3, 1, 0.1);
  CHECK(job.look_for(10s).recovered.size() == 1);
}

TEST_CASE("what the node has told that watched before is not told again, and when it is over it is") {
  SlowJob job;
  job.set(3, 2, 0.1);
  job.set(2, 2, 0.1);
  job.view.told_slow = {{0, false}, {3, true}, {77, true}};
  auto told = job.look_for(10s);
  job.view.told_slow.clear();
  CHECK((told.slow.empty() && told.recovered.empty()));
  told = job.look_for(120s);
  REQUIRE(told.slow.size() == 1);
  CHECK(told.slow[0].rank == 2);
  job.view.told_slow = {{2, false}};  // another one has watched meanwhile
  CHECK(job.look_for(10s).recovered.empty());
  job.view.told_slow.clear();
  job.set(2, 1, 0.5);
  job.set(3, 1, 0.5);
  told = job.look_for(20s);
  REQUIRE(told.recovered.size() == 1);
  CHECK((told.recovered[0].rank == 3 && told.recovered[0].host == "node1"));
}

TEST_CASE("the minute counts while a rank is judged") {
  SlowJob job;
  job.set(3, 2, 0.1);
  CHECK(job.look_for(40s).slow.empty());
  job.view.told[1].told_age = 16;
  CHECK(job.look_for(120s).slow.empty());
  job.view.told[1].told_age = 1;
  CHECK(job.look_for(30s).slow.empty());
  CHECK(job.look_for(10s).slow.size() == 1);
}

TEST_CASE("one step that took long makes no slow rank, however long it counts") {
  SlowJob job;
  for (std::int64_t rank = 0; rank < 4; ++rank) { job.set(rank, 70, 1); }
  CHECK(job.look_for(70s).slow.empty());
  job.set(3, 100, 0.1);
  CHECK(job.look_for(10s).slow.empty());  // the step of 100 s
  CHECK(job.look_for(60s, /*pause=*/true).slow.empty());
  CHECK(job.look_for(10s).slow.empty());  // the one after it, had it been as long
  CHECK(job.look_for(60s, /*pause=*/true).slow.empty());
  CHECK(job.look_for(10s).slow.size() == 1);
}

TEST_CASE("a rank is not told once it is as fast as the others, though the mean is not yet") {
  SlowJob job;
  job.set(3, 2, 0.1);
  job.rank(3).own_lately = 2;
  CHECK(job.look_for(50s).slow.empty());
  job.rank(3).own_lately = 1;
  CHECK(job.look_for(30s).slow.empty());
  job.rank(3).own_lately = 1.4;
  CHECK(job.look_for(10s).slow.size() == 1);
}

TEST_CASE("where most ranks tell no time of their own nobody is judged") {
  SlowJob job;
  for (std::int64_t rank = 0; rank < 3; ++rank) { job.set(rank, 0, 0); }
  job.set(3, 2, 0);
  CHECK(job.look_for(120s).slow.empty());
  job.set(2, 1, 0);
  job.set(1, 1, 0);
  CHECK(job.look_for(70s).slow.size() == 1);
}

TEST_CASE("waiting is compared among those that send it") {
  SlowJob job;
  job.set(3, 2, 0.1);
  for (std::int64_t rank = 0; rank < 3; ++rank) { job.rank(rank).waiting.reset(); }
  CHECK(job.look_for(70s).slow.size() == 1);
}

TEST_CASE("workers that have ended are no measure, and none of them is slow") {
  SlowJob job;
  job.set(2, 3, 0.1);
  job.set(3, 3, 0.1);
  job.rank(3).ended = true;
  for (std::int64_t rank = 0; rank < 2; ++rank) { job.set(rank, 0.01, 0.1); }
  job.rank(0).ended = true;
  const auto told = job.look_for(120s);
  REQUIRE(told.slow.size() == 1);
  CHECK(told.slow[0].rank == 2);
}

TEST_CASE("another round begins anew, without a word of the ranks of the one before") {
  SlowJob job;
  job.set(3, 2, 0.1);
  CHECK(job.look_for(70s).slow.size() == 1);
  job.view.round = 1;
  const auto told = job.look_for(60s);
  CHECK(told.slow.empty());
  CHECK(told.recovered.empty());
  CHECK(job.look_for(10s).slow.size() == 1);
}

TEST_CASE("stragglers are told by their host, several of one host in one line") {
  CHECK(describe_stragglers({{3, "node1", 0.93, 0.7, "84 °C"}}) ==
        std::vector<HostLine>{{"rank 3 on node1 is slow: 0.93 s of its own a step; the median of all ranks is 0.7 s. "
                               "The others wait for it. Its GPU: 84 °C",
                               {3}}});
  CHECK(describe_stragglers({{2, "b", 2, 1, ""}, {3, "b", 3, 1, ""}, {9, "a", 4, 1, ""}}) ==
        std::vector<HostLine>{
            {"rank 9 on a is slow: 4 s of its own a step; the median of all ranks is 1 s. The others wait for it", {9}},
            {"2 ranks on b are slow, the most of them rank 3: 3 s of its own a step; the median of all ranks is 1 s. "
             "The others wait for them",
             {2, 3}}});
}

TEST_CASE("ranks that are slow no longer are told by their host as well") {
  std::vector<Straggler> recovered{{9, "a", 1, 1, ""}};
  for (std::int64_t rank = 100; rank < 118; ++rank) { recovered.push_back({rank, "b", 1, 1, ""}); }
  const auto lines = describe_recovered(recovered);
  REQUIRE(lines.size() == 2);
  CHECK((lines[0].text == "rank 9 on a is slow no longer" && lines[0].ranks == std::vector<std::int64_t>{9}));
  CHECK(lines[1].text ==
        "18 ranks on b are slow no longer: 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, "
        "115, …");
  CHECK(lines[1].ranks.size() == 18);
}
