#include "launcher/doctor_deep/toolkit_measurer.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "launcher/doctor/socket.hpp"
#include "tests/launcher/process/process_probe.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::doctor_deep;
using namespace mdl::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// What a process prints that has a matrix product, and its ranks.
constexpr const char* kSayLine = R"(echo "{\"mdl_toolkit_health\": 1, \"rank\": $RANK, \"local_rank\": $LOCAL_RANK, )"
                                 R"(\"matrix_product\": {\"flop_per_s\": 5}}")";

/// A shell's script in place of mdl-toolkit.
ToolkitMeasurer scripted(const std::string& script) {
  HealthCommand command;
  command.program = "/bin/sh";
  command.arguments = {"-c", script, "mdl-toolkit"};
  command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "MDL_TEST=told"};
  return ToolkitMeasurer(std::move(command), 0ms);
}

HealthRanks ranks_here(int here) {
  HealthRanks ranks;
  ranks.first = 2;
  ranks.here = here;
  ranks.world_size = 2 + here;
  ranks.node = 1;
  ranks.nodes = 2;
  ranks.master_addr = "127.0.0.1";
  ranks.master_port = 1234;
  return ranks;
}

NodeHealth measured(const std::string& script, std::chrono::seconds limit = 60s, int here = 1) {
  ToolkitMeasurer measurer = scripted(script);
  return measurer.measure(ranks_here(here), limit, {});
}

}  // namespace

TEST_CASE("each process has its ranks in the environment of a worker, and its line is read") {
  const NodeHealth health = measured(
      std::string(R"([ "$WORLD_SIZE $LOCAL_WORLD_SIZE $GROUP_RANK $MASTER_ADDR:$MASTER_PORT $MDL_TEST" = )") +
          R"("4 2 1 127.0.0.1:1234 told" ] || exit 3; [ "$*" = "--json true --seconds 60" ] || exit 4; )" + kSayLine,
      60s, 2);
  CHECK(health.problem.empty());
  REQUIRE(health.ranks.size() == 2);
  for (int i = 0; i < 2; ++i) {
    const RankHealth& rank = health.ranks[static_cast<std::size_t>(i)];
    CHECK(rank.local_rank == i);
    CHECK(rank.rank == 2 + i);
    CHECK(rank.matrix_product.value == 5);
  }
}

TEST_CASE("a program that ends without a line is told with how it ended and what it said") {
  CHECK(measured("echo first >&2; echo 'the GPU is gone' >&2; exit 3").problem ==
        "/bin/sh health ended with exit code 3: the GPU is gone");
  CHECK(measured("echo 'mdl-toolkit: error: rank 2: no GPU' >&2; echo '  Plug it in.' >&2; exit 1").problem ==
        "/bin/sh health ended with exit code 1: rank 2: no GPU");
  CHECK(measured("kill -11 $$").problem == "/bin/sh health was ended by SIGSEGV, and said nothing");
  CHECK(measured("true").problem == "/bin/sh health ended with exit code 0, and said nothing");
  CHECK_THAT(measured("printf '\\033[31mhello\\n'").problem,
             Contains("printed what is not understood (it is no JSON): hello") && !Contains("\x1b"));
  CHECK_THAT(measured("yes '{}' | head -c 300000").problem, Contains("it is no line of mdl-toolkit health"));
  const NodeHealth half = measured(std::string("[ $LOCAL_RANK = 0 ] || exit 5; ") + kSayLine, 60s, 2);
  CHECK(half.ranks.size() == 1);
  CHECK_THAT(half.problem, Contains("(process 1 here) ended with exit code 5"));
  CHECK_THAT(half.advice, Contains("/bin/sh health"));
}

TEST_CASE("what a program has said counts, whatever its exit code") {
  const NodeHealth health = measured(std::string(kSayLine) + "; exit 1");
  CHECK(health.problem.empty());
  CHECK(health.ranks.size() == 1);
}

TEST_CASE("a program that cannot be started is a problem of this node") {
  HealthCommand command;
  command.program = "/nowhere/mdl-toolkit";
  ToolkitMeasurer measurer(std::move(command));
  CHECK(measurer.measure(ranks_here(2), 60s, {}).problem ==
        "/nowhere/mdl-toolkit cannot be started: No such file or directory");
}

TEST_CASE("a program that hangs is stopped at the limit, with what it has started") {
  const TempDir dir;
  const std::string pids = (dir.path() / "pids").string();
  const NodeHealth health = measured("trap '' TERM; echo $$ >> " + pids + "; (trap '' TERM; sh -c 'echo $$ >> " + pids +
                                         "; sleep 1000; :') & " + "echo 'loading' >&2; wait; sleep 1000",
                                     1s);
  CHECK(health.problem == "/bin/sh health did not end within 1 s and was stopped: loading");
  std::ifstream file(pids);
  int count = 0;
  for (pid_t pid = 0; file >> pid; ++count) {
    CHECK(becomes_true([&] { return !is_alive(pid); }));
  }
  CHECK(count == 2);
}

TEST_CASE("the sockets of other nodes are left as they were, and the store's port is free again") {
  ToolkitMeasurer measurer = scripted("true");
  HealthRanks ranks = ranks_here(1);
  ranks.master_port = measurer.open_store("127.0.0.1");
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(::write(ends[1], "x", 1) == 1);
  measurer.measure(ranks, 60s, {ends[0]});
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 1);
  CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(doctor::listen_on(ranks.master_port).socket);
}

TEST_CASE("a node without a process of its own only has the store") {
  ToolkitMeasurer measurer = scripted("exit 9");
  const NodeHealth health = measurer.measure(ranks_here(0), 60s, {});
  CHECK(health.problem.empty());
  CHECK(health.ranks.empty());
}
