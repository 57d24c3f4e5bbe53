#include "worker/process/cpu_share.hpp"

#include <sched.h>

#include <catch2/catch.hpp>
#include <cstdlib>

using mdl::worker::process::cpu_share;

TEST_CASE("ranks of one host share its cores") {
  CHECK(cpu_share(96, 8) == 12);
  CHECK(cpu_share(2, 1) == 2);
  CHECK(cpu_share(2, 8) == 1);  // never none
  CHECK(cpu_share(7, 0) == 7);
}

TEST_CASE("only cores that the process may run on count") {
  cpu_set_t before, one;
  REQUIRE(::sched_getaffinity(0, sizeof(before), &before) == 0);
  CPU_ZERO(&one);
  for (int core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core) {
    if (CPU_ISSET(core, &before)) { CPU_SET(core, &one); }
  }
  ::unsetenv("LOCAL_WORLD_SIZE");
  CHECK(cpu_share() == static_cast<std::size_t>(CPU_COUNT(&before)));
  REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
  CHECK(cpu_share() == 1);
  REQUIRE(::sched_setaffinity(0, sizeof(before), &before) == 0);
}
