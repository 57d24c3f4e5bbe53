#include "launcher/hang/hang_verdict.hpp"

#include <catch2/catch.hpp>

#include "launcher/hang/rank_cases.hpp"
#include "tests/launcher/hang/made_ranks.hpp"

using namespace mdl::launcher::hang;
using namespace mdl::launcher;
using namespace mdl::test;
using Catch::Contains;

namespace {

/// Four sleepers of whom each but those in `apart` has a connection to the store, and those in `waiting` wait for
/// `key`.
std::vector<RankCase> four_at_the_store(const std::string& key, const std::set<int>& waiting,
                                        const std::set<int>& apart = {}) {
  auto ranks = four_sleepers();
  std::vector<rendezvous::server::StoreWait> waits;
  for (int i = 0; i < 4; ++i) {
    RankEvidence& evidence = *ranks[static_cast<std::size_t>(i)].evidence;
    evidence.store_seen = true;
    const std::string socket = "10.0.0.1:" + std::to_string(5000 + i);
    if (!apart.contains(i)) { evidence.store_sockets = {socket}; }
    if (waiting.contains(i)) { waits.push_back({socket, {key}, 70}); }
  }
  join_store_waits(ranks, waits);
  return ranks;
}

}  // namespace

TEST_CASE("a rank that is stopped is named, with its node and with those who wait for it") {
  auto ranks = four_sleepers();
  ranks[3] = rank_in_state(3, 'T');
  ranks[3].evidence->processes[0].kernel_place = "do_signal_stop";  // which says the same
  const HangVerdict verdict = verdict_of(ranks);
  CHECK(verdict.sentence == "rank 3 on node1 is stopped (state T): ranks 0 to 2 wait for it");
  CHECK(verdict.ranks == std::set<std::int64_t>{3});
  ranks[2] = rank_in_state(2, 'T');
  CHECK(verdict_of(ranks).sentence == "ranks 2, 3 on node1 are stopped (state T): ranks 0, 1 wait for them");
  ranks[1] = rank_in_state(1, 'T');
  CHECK(verdict_of(ranks).sentence == "ranks 1 to 3 are stopped (state T): rank 0 waits for them");
  ranks[1] = rank_in_state(1, 'S');
  ranks[3].host = "node2";
  ranks[2] = rank_in_state(2, 'S');
  CHECK(verdict_of(ranks).sentence == "rank 3 on node2 is stopped (state T): ranks 0 to 2 wait for it");
}

TEST_CASE("what is stopped may be a process below the worker") {
  auto ranks = four_sleepers();
  ProcessEvidence child = ranks[1].evidence->processes[0];
  child.pid = 4711;
  child.state = 'T';
  ranks[1].evidence->processes.push_back(child);
  CHECK_THAT(verdict_of(ranks).sentence,
             Contains("rank 1 on node0 is stopped (state T), in its process python3 (pid 4711)"));
}

TEST_CASE("states, ends, steps, sections and CPU time tell ranks apart, in this order") {
  auto ranks = four_sleepers();
  CHECK_THAT(verdict_of(ranks).sentence,
             Contains("nothing tells the ranks apart; the kernel shows 4 in state S") && Contains("0 s of CPU time"));
  CHECK(verdict_of(ranks).ranks.empty());
  ranks[1] = rank_in_state(1, 'R', 0.98);
  CHECK(verdict_of(ranks).sentence == "rank 1 on node0 computes, and ranks 0, 2, 3 sleep");
  ranks[2].said.section = "checkpoint";
  ranks[2].said.section_age = 73.6;
  CHECK(verdict_of(ranks).sentence ==
        "rank 2 on node1 is in section \"checkpoint\" since 74 s: ranks 0, 1, 3 wait for it");
  ranks[0].said.step = 117;
  CHECK(verdict_of(ranks).sentence == "rank 0 on node0 is at step 117, and the others have come to step 118");
  ranks[3] = rank_in_state(3, 'D');
  ranks[3].evidence->processes[0].kernel_place = "nfs_wait_bit_killable";
  CHECK_THAT(
      verdict_of(ranks).sentence,
      Contains("rank 3 on node1 is in a system call that cannot be interrupted (state D), in nfs_wait_bit_killable"));
  ranks[1].evidence->end = "exit code 0";
  CHECK(verdict_of(ranks).sentence == "rank 1 on node0 has ended (exit code 0): ranks 0, 2, 3 wait for it");
}

TEST_CASE("a section tells of fewer than half of the ranks, and those that are not where the others are") {
  std::vector<RankCase> ranks;
  for (int i = 0; i < 8; ++i) {
    ranks.push_back(rank_in_state(i, 'S'));
    if (i == 5) { continue; }
    ranks.back().said.section = "evaluation";
    ranks.back().said.section_age = 70;
  }
  const HangVerdict apart = verdict_of(ranks);
  CHECK(apart.sentence == "rank 5 on node1 is in no section, and ranks 0 to 4, 6, 7 are in section \"evaluation\"");
  CHECK(apart.ranks == std::set<std::int64_t>{5});
  ranks[5].said.step = 117;
  const HangVerdict behind = verdict_of(ranks);
  CHECK(behind.sentence == "rank 5 on node1 is at step 117, and the others have come to step 118");
  CHECK(behind.ranks == std::set<std::int64_t>{5});
  // Who is behind in a section: that is why.
  ranks[5].said.section = "checkpoint";
  ranks[5].said.section_age = 73;
  CHECK(verdict_of(ranks).sentence ==
        "rank 5 on node1 is at step 117, in section \"checkpoint\" since 73 s, and the others have come to step 118");
  // Half and half: nobody.
  ranks[5] = rank_in_state(5, 'S');
  for (std::size_t i = 0; i < 3; ++i) { ranks[i].said.section.clear(); }
  CHECK_THAT(verdict_of(ranks).sentence, Contains("nothing tells the ranks apart"));
  ranks.resize(2);
  ranks[1].said.section = "evaluation";
  ranks[1].said.section_age = 9;
  CHECK(verdict_of(ranks).sentence == "rank 1 is in section \"evaluation\" since 9 s: rank 0 waits for it");
}

TEST_CASE("ranks that have made their last step and ended keep nobody waiting") {
  auto ranks = four_sleepers();
  for (int i = 0; i < 2; ++i) {
    RankCase& done = ranks[static_cast<std::size_t>(i)];
    done.said.step = done.said.total = 200;
    done.said.ended = true;
  }
  ranks[0].evidence.reset();
  ranks[3] = rank_in_state(3, 'T');
  CHECK(verdict_of(ranks).sentence == "rank 3 is stopped (state T): rank 2 waits for it");
  ranks[3] = rank_in_state(3, 'S');
  CHECK_THAT(verdict_of(ranks).sentence,
             Contains("nothing tells ranks 2, 3, which alone have not made their last step, apart; the kernel"));
  // One that has ended before its last step does.
  ranks[1].said.step = 118;
  CHECK_THAT(verdict_of(ranks).sentence, Contains("rank 1 on node0 has ended: ranks 2, 3 wait for it"));
  ranks[3] = rank_in_state(3, 'T');
  CHECK_THAT(verdict_of(ranks).sentence, Contains("rank 3 on node1 is stopped (state T)"));
}

TEST_CASE("the only rank that has not made its last step is named, also where others are not known") {
  auto ranks = four_sleepers();
  for (RankCase& done : ranks) {
    done.said.total = 118;
    done.said.ended = done.rank != 2;
  }
  CHECK_THAT(verdict_of(ranks).sentence,
             Catch::StartsWith("only rank 2 on node1 has not made its last step; the kernel shows 1"));
  CHECK(verdict_of(ranks).ranks == std::set<std::int64_t>{2});
  for (RankCase& each : ranks) { each.said.total = 0; }  // as good as none
  CHECK_THAT(verdict_of(ranks).sentence, Contains("ranks 0, 1, 3 have ended"));
  CHECK_THAT(hang_verdict({rank_in_state(1, 'S')}, {}, 2).sentence,
             Catch::StartsWith("nothing is known of other ranks than rank 1; the kernel"));
}

TEST_CASE("a rank that is found in state R by chance does not compute") {
  auto ranks = four_sleepers();
  ranks[1] = rank_in_state(1, 'R', 0.02);
  CHECK_THAT(verdict_of(ranks).sentence, Contains("nothing tells the ranks apart"));
  ranks[1] = rank_in_state(1, 'R', 0.3);  // neither
  CHECK_THAT(verdict_of(ranks).sentence, Contains("nothing tells the ranks apart"));
}

TEST_CASE("on a machine with more to do a rank computes that gets little of a CPU and wants all of it") {
  auto ranks = four_sleepers();
  ranks[1] = rank_in_state(1, 'R', 0.16);
  ranks[1].evidence->queued = 0.8;
  CHECK(verdict_of(ranks).sentence == "rank 1 on node0 computes, and ranks 0, 2, 3 sleep");
  // Who looks around now and then waits for the CPU each time, and gets as little of it as others.
  ranks[0].evidence->cpu = 0.05;
  ranks[0].evidence->queued = 0.3;
  CHECK_THAT(verdict_of(ranks).sentence, Contains("nothing tells the ranks apart"));
  ranks[0].evidence->cpu = 0.02;
  ranks[0].evidence->queued = 0.9;
  CHECK(verdict_of(ranks).sentence == "rank 1 on node0 computes, and ranks 0, 2, 3 sleep");
  // All spin, and one gets less than the others.
  for (int i = 0; i < 4; ++i) {
    ranks[static_cast<std::size_t>(i)] = rank_in_state(i, 'R', i == 2 ? 0.06 : 0.3);
    ranks[static_cast<std::size_t>(i)].evidence->queued = 0.7;
  }
  CHECK_THAT(verdict_of(ranks).sentence, Contains("nothing tells the ranks apart"));
  ranks[2].evidence->cpu = 0.04;
  CHECK_THAT(verdict_of(ranks).sentence, Contains("nothing tells the ranks apart"));
  ranks[2].evidence->queued = 0.1;
  CHECK(verdict_of(ranks).sentence == "rank 2 on node1 sleeps, and ranks 0, 1, 3 compute");
}

TEST_CASE("the one that sleeps while others spin stands out as well") {
  std::vector<RankCase> ranks;
  for (int i = 0; i < 4; ++i) { ranks.push_back(rank_in_state(i, 'R', 0.99)); }
  ranks[3] = rank_in_state(3, 'S');
  CHECK(verdict_of(ranks).sentence == "rank 3 on node1 sleeps, and ranks 0 to 2 compute");
}

TEST_CASE("the store's keys tell who has not come, and who waits alone") {
  auto ranks = four_sleepers();
  for (RankCase& each : ranks) {
    each.evidence->store_sockets = {"10.0.0.1:" + std::to_string(5000 + each.rank)};
    each.evidence->store_seen = true;
  }
  std::vector<rendezvous::server::StoreWait> waits(3);
  for (int i = 0; i < 3; ++i) {
    auto& wait = waits[static_cast<std::size_t>(i)];
    wait.peer = "10.0.0.1:" + std::to_string(5000 + i);
    wait.keys = {"barrier/\x1b[2J" + std::string(500, 'x')};
    wait.seconds = 70;
  }
  join_store_waits(ranks, waits);
  CHECK(ranks[0].store_key == "barrier/" + std::string(112, 'x'));
  CHECK((ranks[0].store_wait == 70 && ranks[3].store_key.empty()));
  // Of several connections of a rank the one that waits for longest, of those that wait for something.
  auto two = four_sleepers();
  two.resize(2);
  two[0].evidence->store_sockets = {"a:1", "a:2", "a:3", "a:4"};
  two[1].evidence.reset();
  join_store_waits(two, {{"a:1", {"short"}, 5}, {"a:2", {"long"}, 9}, {"a:3", {"middle"}, 7}, {"a:4", {}, 99}});
  CHECK((two[0].store_key == "long" && two[0].store_wait == 9 && two[1].store_key.empty()));
  CHECK_THAT(verdict_of(ranks).sentence,
             Contains("rank 3 on node1 has not come to where ranks 0 to 2 wait (store key \"barrier/"));
  CHECK(verdict_of(four_at_the_store("ranks/2", {1})).sentence ==
        "rank 1 on node0 waits for the store key \"ranks/2\", for which the others do not");
}

TEST_CASE("a rank that has no connection to the store yet is the one that has not come to where the others wait") {
  const HangVerdict verdict = verdict_of(four_at_the_store("barrier", {0, 2, 3}, {1}));
  CHECK(verdict.sentence == "rank 1 on node0 has not come to where ranks 0, 2, 3 wait (store key \"barrier\")");
  CHECK(verdict.ranks == std::set<std::int64_t>{1});
  // Two wait and two do not: those are the ones to look at.
  const HangVerdict half = verdict_of(four_at_the_store("barrier", {0, 2}, {1}));
  CHECK(half.sentence == "ranks 1, 3 wait for no key of the workers' store, and ranks 0, 2 wait for \"barrier\"");
  CHECK(half.ranks == std::set<std::int64_t>{1, 3});
}

TEST_CASE("ranks that wait for different keys are told together where one waits for none") {
  auto ranks = four_at_the_store("a", {0, 1}, {3});
  ranks[2].store_key = "b";
  ranks[2].waits_for_no_key = false;
  CHECK(verdict_of(ranks).sentence ==
        "rank 3 on node1 has not come to where ranks 0 to 2 wait (store key \"a\" and others)");
}

TEST_CASE("a key with which Gloo joins the process group names the rank that has not joined") {
  const std::string key = "default_pg/0//cpu//0/1";
  const HangVerdict verdict = verdict_of(four_at_the_store(key, {0, 2, 3}, {1}));
  CHECK(verdict.sentence ==
        "rank 1 on node0 has not joined the process group (init_process_group), where ranks 0, 2, 3 wait for it (store "
        "key \"default_pg/0//cpu//0/1\")");
  CHECK(verdict.ranks == std::set<std::int64_t>{1});
  // Of the others, who are more, none has come either; and of the rank itself nothing needs to be known.
  CHECK(verdict_of(four_at_the_store(key, {0}, {1, 2, 3})).ranks == std::set<std::int64_t>{1});
  auto unknown = four_at_the_store(key, {0, 2, 3}, {1});
  unknown.erase(unknown.begin() + 1);
  CHECK_THAT(verdict_of(unknown).sentence, Catch::StartsWith("rank 1 has not joined the process group"));
  // What is no such key: of another group, where ranks are counted within it; a counter of NCCL's.
  for (const char* other : {"default_pg/0//1//cpu//0/1", "default_pg/0//cuda//0", "default_pg/0//cpu//0/1/x",
                            "default_pg/0//cpu//0/-1", "xdefault_pg/0//cpu//0/1", "default_pg/0//cpu//0/"}) {
    CHECK_THAT(verdict_of(four_at_the_store(other, {0, 1, 2})).sentence,
               Contains("has not come to where ranks 0 to 2 wait"));
  }
}

TEST_CASE("a rank whose connections are not all known is not said to wait for no key") {
  auto ranks = four_at_the_store("barrier", {0, 1, 2});
  ranks[3].evidence->store_seen = false;
  join_store_waits(ranks, {{"10.0.0.1:5000", {"barrier"}, 70}});
  CHECK(!ranks[3].waits_for_no_key);
  // One of the waits is somebody's whose address the store sees as another one: maybe this rank's, if it is connected.
  ranks[3].evidence->store_seen = true;
  const std::vector<rendezvous::server::StoreWait> waits{{"10.0.0.1:5000", {"barrier"}, 70},
                                                         {"192.0.2.1:1", {"x"}, 70}};
  join_store_waits(ranks, waits);
  CHECK(!ranks[3].waits_for_no_key);
  ranks[3].evidence->store_sockets.clear();
  join_store_waits(ranks, waits);
  CHECK(ranks[3].waits_for_no_key);
}

TEST_CASE("what agents wait for in the same store says nothing of ranks") {
  const rendezvous::server::StoreWait barrier{"10.0.0.1:5000", {"/worker/attempt_0/barrier"}, 70};
  for (const char* key : {"mdl-launch/j/static/0/over", "torch.rendezvous.j.0/torchelastic/role_info/1",
                          "j/torchelastic/assigned_ranks/1"}) {
    CAPTURE(key);
    auto ranks = four_at_the_store("barrier", {0, 1, 3});
    join_store_waits(ranks, {barrier, {"192.0.2.1:1", {key, key}, 80}});
    CHECK(ranks[2].waits_for_no_key);
    join_store_waits(ranks, {barrier, {"192.0.2.1:1", {key, "mine"}, 80}});
    CHECK(!ranks[2].waits_for_no_key);
  }
}

TEST_CASE("the highest step is that of the ranks that have said one") {
  auto ranks = four_sleepers();
  ranks[0].said.step.reset();
  ranks[2].said.step = 119;
  CHECK(highest_step(ranks) == 119);
  for (RankCase& each : ranks) { each.said.step.reset(); }
  CHECK_FALSE(highest_step(ranks));
}

TEST_CASE("who is the same in all ranks is named as all of them, and of nobody nothing is said") {
  std::vector<RankCase> ranks = {rank_in_state(0, 'T'), rank_in_state(1, 'T')};
  CHECK(verdict_of(ranks).sentence == "all ranks are stopped (state T)");
  ranks.pop_back();
  CHECK(verdict_of(ranks).sentence == "rank 0 is stopped (state T)");
  ranks[0] = rank_in_state(0, 'S');
  CHECK_THAT(verdict_of(ranks).sentence, Contains("there is only one rank"));
  CHECK(verdict_of({}).sentence == "nothing is known of any rank");
}

TEST_CASE("the records of collectives come first, and what the kernel shows is added") {
  auto ranks = four_sleepers();
  flight::FlightVerdict records;
  CHECK(verdict_of(ranks, records).sentence == verdict_of(ranks).sentence);
  records.finding = flight::FlightVerdict::Finding::behind;
  records.headline = "rank 3 did not reach all-reduce 1,204, in which ranks 0 to 2 wait";
  records.ranks = {3};
  CHECK(verdict_of(ranks, records).sentence == records.headline);
  CHECK(verdict_of(ranks, records).ranks == std::set<std::int64_t>{3});
  ranks[3] = rank_in_state(3, 'D');
  CHECK(verdict_of(ranks, records).sentence ==
        records.headline + "; rank 3 on node1 is in a system call that cannot be interrupted (state D)");
  ranks[3] = rank_in_state(3, 'T');
  records.finding = flight::FlightVerdict::Finding::unrecorded;
  records.headline = "ranks 0 to 2 wait in all-reduce 1,204; there is no record of rank 3";
  CHECK(verdict_of(ranks, records).sentence == "rank 3 on node1 is stopped (state T); " + records.headline);
  records.finding = flight::FlightVerdict::Finding::together;
  records.headline = "nothing tells ranks apart";
  CHECK_THAT(verdict_of(ranks, records).sentence,
             Catch::StartsWith("rank 3 on node1 is stopped (state T): ranks 0 to 2 wait for it; nothing tells"));
  CHECK_THAT(verdict_of(four_sleepers(), records).sentence, Catch::StartsWith("nothing tells ranks apart; the kernel"));
}

TEST_CASE("what ranks have said and what nodes have shown come together, and what is missing is said") {
  watch::JobView view;
  view.nodes = 3;
  view.told.resize(2);
  view.told[0].host = "node0";
  view.told[0].ranks.resize(2);
  view.told[0].ranks[0].age = 1;
  view.told[1].group_rank = 1;
  view.told[1].host = "node1";
  view.told[1].first_rank = 2;
  view.told[1].ranks.resize(1);
  view.told[1].ranks[0].age = 1;
  NodeEvidence own;
  own.host = "node0";
  own.ranks.resize(2);
  own.seconds = 1.5;
  const std::map<std::int64_t, NodeEvidence> answers{{0, own}};
  const auto ranks = rank_cases(view, answers);
  REQUIRE(ranks.size() == 3);
  CHECK((ranks[1].rank == 1 && ranks[1].evidence && ranks[1].seconds == 1.5 && !ranks[1].said.age));
  CHECK((ranks[2].rank == 2 && !ranks[2].evidence && ranks[2].host == "node1"));
  NodeEvidence stranger;
  stranger.group_rank = 2;
  stranger.host = "evil";
  stranger.ranks.resize(100);
  const std::map<std::int64_t, NodeEvidence> more{{0, own}, {2, stranger}};
  const auto with_stranger = rank_cases(view, more);
  REQUIRE(with_stranger.size() == 100);
  CHECK((with_stranger[1].host == "node0" && with_stranger[2].host == "node1" && !with_stranger[2].evidence));
  // Where two nodes say that a rank is theirs it is the watching node's own.
  view.told[0].first_rank = 2;
  view.watcher = 1;
  CHECK(rank_cases(view, {})[0].host == "node1");
  view.told[0].first_rank = 0;
  view.watcher = 0;
  const auto missing = missing_nodes(view, answers, std::chrono::seconds(10));
  REQUIRE(missing.size() == 2);
  CHECK(missing[0] == "node 1 (node1) has shown nothing of its processes within 10 s");
  CHECK_THAT(missing[1], Contains("of 1 node there is no data"));
  view.nodes = 4;
  CHECK_THAT(missing_nodes(view, answers, std::chrono::seconds(10)).back(), Contains("of 2 nodes there is no data"));
  view.nodes = 2;
  CHECK(missing_nodes(view, {{0, own}, {1, own}}, std::chrono::seconds(10)).empty());
}
