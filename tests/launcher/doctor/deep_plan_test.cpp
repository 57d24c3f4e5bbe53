#include "launcher/doctor/deep_plan.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::doctor;
using Catch::Contains;
using Words = std::vector<std::string>;

namespace {

/// A machine with an mdl-toolkit beside mdl-launch.
struct DeepBench {
  DeepBench() {
    std::ofstream(dir.path() / "mdl-toolkit") << "#!/bin/sh\n";
    std::filesystem::permissions(dir.path() / "mdl-toolkit", std::filesystem::perms::owner_all);
  }
  DeepPlan plan() const { return plan_deep(job, node, {{"PATH", "/nowhere"}, {"A", "b"}}, dir.path()); }

  test::TempDir dir;
  JobSpec job;
  NodeFacts node;
};

}  // namespace

TEST_CASE("a process is started for each GPU that the job would use with --deep, else one on the CPU") {
  DeepBench bench;
  CHECK(bench.plan().ranks == 1);
  CHECK(bench.plan().command.arguments == Words{"health", "--device", "cpu"});
  CHECK(bench.plan().command.program == (bench.dir.path() / "mdl-toolkit").string());
  CHECK(bench.plan().command.environment == Words{"A=b", "PATH=/nowhere"});
  bench.job.wants_gpus = true;
  bench.job.processes_here = 8;
  bench.node.gpus = 4;
  CHECK(bench.plan().ranks == 4);
  CHECK(bench.plan().command.arguments == Words{"health", "--device", "cuda"});
  bench.job.processes_here = 2;
  CHECK(bench.plan().ranks == 2);
  bench.job.use_cpu = true;
  CHECK(bench.plan().ranks == 1);
  CHECK(bench.plan().command.arguments[2] == "cpu");
}

TEST_CASE("the disk of the job's --output is measured") {
  DeepBench bench;
  bench.node.paths = {{"--train-dataset", "/data", false, true, "", 0}, {"--output", "/out", true, true, "", 0}};
  CHECK(bench.plan().command.arguments == Words{"health", "--device", "cpu", "--output", "/out"});
}

TEST_CASE("a node that cannot be measured says why, and what to do") {
  DeepBench bench;
  std::filesystem::remove(bench.dir.path() / "mdl-toolkit");
  CHECK(bench.plan().ranks == 0);
  CHECK_THAT(bench.plan().problem, Contains("no native mdl-toolkit beside mdl-launch (" + bench.dir.path().string()));
  CHECK_THAT(bench.plan().advice, Contains("Install"));
  bench.job.wants_gpus = true;
  CHECK_THAT(bench.plan().problem, Contains("none is there"));
}
