#include "launcher/job/free_restarts.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace mdl;
using namespace mdl::launcher::job;
using namespace std::chrono_literals;

TEST_CASE("free restarts of short rounds wait 1, 2, 4 to 30 s, and the tenth in a row is one too many") {
  FreeRestarts restarts;
  std::vector<std::chrono::seconds> pauses;
  while (const auto pause = restarts.round_ended(RoundEnd::membership, 9999ms)) { pauses.push_back(*pause); }
  CHECK(pauses == std::vector<std::chrono::seconds>{1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s, 30s});
}

TEST_CASE("a round whose workers have lived for 10 s ends the row of short ones, and is not waited for") {
  FreeRestarts restarts;
  for (int round = 0; round < 100; ++round) {
    CHECK(restarts.round_ended(RoundEnd::membership, 0s) == 1s);
    CHECK(restarts.round_ended(RoundEnd::membership, 100ms) == 2s);
    CHECK(restarts.round_ended(RoundEnd::membership, 10s) == 0s);
  }
}

TEST_CASE("a failure is paid for: it is not waited for, counts for nothing, and ends the row") {
  FreeRestarts restarts;
  for (int round = 0; round < 100; ++round) { CHECK(restarts.round_ended(RoundEnd::failure, 10ms) == 0s); }
  for (int round = 0; round < 100; ++round) {
    CHECK(restarts.round_ended(RoundEnd::membership, 1s) == 1s);
    CHECK(restarts.round_ended(RoundEnd::failure, 1s) == 0s);
  }
}

TEST_CASE("short rounds that may have been paid for on a node of torchrun's are slowed down, not given up") {
  FreeRestarts restarts;
  std::chrono::seconds pause{};
  for (int round = 0; round < 100; ++round) {
    const auto next = restarts.round_ended(RoundEnd::unknown, 1s);
    REQUIRE(next);
    CHECK(*next >= pause);
    pause = *next;
  }
  CHECK(pause == 30s);
  CHECK_FALSE(restarts.round_ended(RoundEnd::membership, 1s));
}
