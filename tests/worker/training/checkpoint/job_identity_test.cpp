#include <catch2/catch.hpp>

#include <cstdlib>

#include "worker/training/checkpoint/job_identity.hpp"

using namespace mdl;
using namespace mdl::worker::training::checkpoint;

TEST_CASE("a checkpoint is a job's when one of the launchers that wrote it is still there") {
  CHECK(same_job({"a/1/100", "b/1/100"}, {"b/1/100"}));
  CHECK(same_job({"a/1/100"}, {"c/7/300", "a/1/100"}));
  CHECK_FALSE(same_job({"a/1/100"}, {"a/1/200"}));  // the number of a process that ended was given to another
  CHECK_FALSE(same_job({}, {"a/1/100"}));
}

TEST_CASE("runs without a launcher have no job in common") {
  CHECK_FALSE(same_job({""}, {""}));
}

TEST_CASE("only a launcher that restarts workers is an agent") {
  ::unsetenv("TORCHELASTIC_RUN_ID");
  CHECK(launcher_agent().empty());
  ::setenv("TORCHELASTIC_RUN_ID", "none", 1);
  const std::string agent = launcher_agent();
  CHECK_FALSE(agent.empty());
  CHECK(agent == launcher_agent());
  ::unsetenv("TORCHELASTIC_RUN_ID");
}
