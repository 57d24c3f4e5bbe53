#include "rendezvous/c10d/compare_set_client.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace mdl;
using namespace mdl::rendezvous::c10d;
using namespace std::chrono_literals;

TEST_CASE("who has lost a compare_set backs off for any time within the limit, so that losers do not meet again") {
  std::minstd_rand random(1);
  std::set<std::chrono::milliseconds> times;
  for (int i = 0; i < 10'000; ++i) { times.insert(compare_set_backoff(10ms, random)); }
  CHECK(times.size() == 11);
  CHECK(*times.begin() == 0ms);
  CHECK(*times.rbegin() == 10ms);
}

TEST_CASE("without cas_backoff_max_seconds nobody backs off after a lost compare_set") {
  std::minstd_rand random(1);
  CHECK(compare_set_backoff(0ms, random) == 0ms);
  CHECK(compare_set_backoff(999us, random) == 0ms);  // the clock of a rest counts milliseconds
}
