#include "launcher/restart_policy.hpp"

#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::launcher;

TEST_CASE("workers that run need no decision") {
  CHECK(decide({}, 3) == Decision::go_on);
}

TEST_CASE("the job is done when all workers have succeeded") {
  GroupObservation seen;
  seen.all_succeeded = true;
  CHECK(decide(seen, 0) == Decision::finish);
}

TEST_CASE("a failure restarts all workers while restarts are left") {
  GroupObservation seen;
  seen.any_failed = true;
  CHECK(decide(seen, 1) == Decision::restart);
  CHECK(decide(seen, 0) == Decision::give_up);
}

TEST_CASE("a program that cannot be loaded is not tried again") {
  GroupObservation seen;
  seen.any_failed = true;
  seen.hopeless = true;
  CHECK(decide(seen, 5) == Decision::give_up);
}

TEST_CASE("a signal comes before everything else") {
  GroupObservation seen;
  seen.any_failed = true;
  seen.all_succeeded = true;
  seen.signalled = true;
  CHECK(decide(seen, 5) == Decision::obey_signal);
}

TEST_CASE("a change of membership restarts without counting, but a failure counts") {
  GroupObservation seen;
  seen.membership_changed = true;
  CHECK(decide(seen, 0) == Decision::restart_for_free);
  seen.any_failed = true;
  CHECK(decide(seen, 1) == Decision::restart);
}
