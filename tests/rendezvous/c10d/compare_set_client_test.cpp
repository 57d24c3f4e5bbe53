#include "rendezvous/c10d/compare_set_client.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;

TEST_CASE("who has lost a contest rests for any time within the limit, so that losers part") {
  std::minstd_rand random(1);
  std::set<std::chrono::milliseconds> times;
  for (int i = 0; i < 10'000; ++i) { times.insert(rest_after_lost_contest(10ms, random)); }
  CHECK(times.size() == 11);
  CHECK(*times.begin() == 0ms);
  CHECK(*times.rbegin() == 10ms);
}

TEST_CASE("without cas_backoff_max_seconds nobody rests after a lost contest") {
  std::minstd_rand random(1);
  CHECK(rest_after_lost_contest(0ms, random) == 0ms);
  CHECK(rest_after_lost_contest(999us, random) == 0ms);  // the clock of a rest counts milliseconds
}
