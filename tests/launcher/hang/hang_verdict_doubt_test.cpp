#include <catch2/catch.hpp>

#include "launcher/hang/hang_verdict.hpp"
#include "tests/launcher/hang/made_ranks.hpp"

using namespace mdl::launcher::hang;
using namespace mdl::launcher;
using namespace mdl::test;
using Catch::Contains;

namespace {

std::string sentence_of(const std::vector<RankCase>& ranks) {
  return verdict_of(ranks).sentence;
}

const auto kNothing = Contains("nothing tells the ranks apart");

/// Four ranks that are connected to the workers' store.
std::vector<RankCase> four_of_a_store() {
  auto ranks = four_sleepers();
  for (RankCase& each : ranks) { each.waits_for_no_key = true; }
  return ranks;
}

}  // namespace

TEST_CASE("as many on either side tell nothing, but of two ranks the one that is behind, waits or computes is named") {
  auto ranks = four_sleepers();
  ranks[0].said.step = ranks[1].said.step = 117;
  CHECK_THAT(sentence_of(ranks), kNothing);
  ranks = four_of_a_store();
  ranks[0].store_key = ranks[1].store_key = "k";
  CHECK(sentence_of(ranks) ==
        "ranks 2, 3 on node1 wait for no key of the workers' store, and ranks 0, 1 wait for \"k\"");
  ranks = four_sleepers();
  for (const std::size_t rank : {0, 1}) { ranks[rank] = rank_in_state(static_cast<int>(rank), 'R', 0.9); }
  CHECK_THAT(sentence_of(ranks), kNothing);

  std::vector<RankCase> two = {rank_in_state(0, 'S'), rank_in_state(1, 'S')};
  two[1].said.step = 117;
  CHECK(sentence_of(two) == "rank 1 is at step 117, and the others have come to step 118");
  two = {rank_in_state(0, 'S'), rank_in_state(1, 'S')};
  for (RankCase& each : two) { each.waits_for_no_key = true; }
  two[1].store_key = "k";
  CHECK(sentence_of(two) == "rank 0 waits for no key of the workers' store, and rank 1 waits for \"k\"");
  two = {rank_in_state(0, 'R', 0.9), rank_in_state(1, 'S')};
  CHECK(sentence_of(two) == "rank 0 computes, and rank 1 sleeps");
}

TEST_CASE("ranks of which something is not known are not accused for it") {
  auto ranks = four_sleepers();
  for (const std::size_t rank : {0, 1, 2}) { ranks[rank].said.section = "evaluation"; }
  ranks[3].said = {};  // under torchrun's agent
  CHECK_THAT(sentence_of(ranks), kNothing);
  ranks = four_sleepers();
  ranks[3].said.step.reset();
  CHECK_THAT(sentence_of(ranks), kNothing);
  ranks = four_of_a_store();
  for (const std::size_t rank : {0, 1, 2}) { ranks[rank].store_key = "k"; }
  ranks[3].waits_for_no_key = false;
  CHECK_THAT(sentence_of(ranks), kNothing);
  ranks = four_sleepers();
  ranks[0] = rank_in_state(0, 'R', 0.9);
  ranks[3].evidence.reset();
  CHECK_THAT(sentence_of(ranks), kNothing && Contains("the kernel shows 1 in state R, 2 in state S"));
  ranks = four_sleepers();
  ranks[0] = rank_in_state(0, 'R', 0.9);
  ranks[3] = rank_in_state(3, 'S', 0.3);  // it neither computes nor sleeps
  CHECK_THAT(sentence_of(ranks), kNothing);
  for (RankCase& each : ranks) { each.seconds = 0; }  // there was no time to look
  CHECK_THAT(sentence_of(ranks), kNothing);
}

TEST_CASE("what holds for all ranks is no verdict") {
  auto ranks = four_of_a_store();
  for (RankCase& each : ranks) {
    each.said.section = "evaluation";
    each.store_key = "k";
  }
  CHECK_THAT(sentence_of(ranks), kNothing);
  for (RankCase& each : ranks) { each.said.ended = true; }
  CHECK_THAT(sentence_of(ranks), kNothing);
  for (int rank = 0; rank < 4; ++rank) { ranks[static_cast<std::size_t>(rank)] = rank_in_state(rank, 'R', 0.97); }
  ranks[2].seconds = 1.25;
  CHECK_THAT(sentence_of(ranks), kNothing && Contains("4 in state R, and at most 0.97 s of CPU time in 1.3 s"));
  for (RankCase& each : ranks) { each.evidence.reset(); }
  CHECK_THAT(sentence_of(ranks), kNothing && Contains("no node has shown processes that run"));
}

TEST_CASE("several ranks of one kind are told as several, and without what one of them alone shows") {
  std::vector<RankCase> ranks;
  for (int rank = 0; rank < 6; ++rank) { ranks.push_back(rank_in_state(rank, 'S')); }
  for (RankCase& each : ranks) { each.waits_for_no_key = true; }
  ranks[0] = rank_in_state(0, 'R', 0.9);
  ranks[1] = rank_in_state(1, 'R', 0.9);
  CHECK(sentence_of(ranks) == "ranks 0, 1 on node0 compute, and ranks 2 to 5 sleep");
  for (std::size_t rank = 2; rank < 6; ++rank) { ranks[rank] = rank_in_state(static_cast<int>(rank), 'R', 0.9); }
  for (const std::size_t rank : {2, 3}) { ranks[rank] = rank_in_state(static_cast<int>(rank), 'S'); }
  CHECK(sentence_of(ranks) == "ranks 2, 3 on node1 sleep, and ranks 0, 1, 4, 5 compute");
  for (RankCase& each : ranks) { each.waits_for_no_key = true; }
  ranks[2].store_key = ranks[3].store_key = "k";
  CHECK(sentence_of(ranks) == "ranks 2, 3 on node1 wait for the store key \"k\", for which the others do not");
  for (const std::size_t rank : {4, 5}) { ranks[rank].store_key = "k"; }
  CHECK(sentence_of(ranks) == "ranks 0, 1 on node0 have not come to where ranks 2 to 5 wait (store key \"k\")");
  for (const std::size_t rank : {0, 1}) {
    ranks[rank].evidence->processes[0].state = 'D';
    ranks[rank].evidence->processes[0].kernel_place = "nfs_wait";
  }
  CHECK_THAT(sentence_of(ranks), Contains("cannot be interrupted (state D): ranks 2 to 5 wait for them"));
  for (const std::size_t rank : {0, 1}) { ranks[rank].evidence->end = "exit code 0"; }
  CHECK_THAT(sentence_of(ranks), Contains("ranks 0, 1 on node0 have ended: ranks 2 to 5 wait"));
}
