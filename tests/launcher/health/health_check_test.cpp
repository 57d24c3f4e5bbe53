#include "launcher/health/health_check.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/launcher/output/mux_bench.hpp"
#include "tests/launcher/process/process_probe.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher;
using namespace mdl::launcher::health;
using namespace mdl::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

/// A shell's script as the health command.
struct HealthBench {
  explicit HealthBench(const std::string& script, std::chrono::milliseconds limit = HealthCheck::kLimit)
      : command{"sh", "/bin/sh", {"sh", "-c", script}}, check(io, command, environment, limit) {}

  /// Once, to the end; `meanwhile` is called again and again.
  HealthVerdict run(const std::function<void()>& meanwhile = {}) {
    HealthVerdict verdict;
    bool done = false;
    asio::co_spawn(
        io, [&] { return check.run(verdict); }, [&](const std::exception_ptr& error) { done = error == nullptr; });
    io.restart();
    while (!done) {
      io.run_one_for(5ms);
      if (meanwhile) { meanwhile(); }
    }
    return verdict;
  }

  asio::io_context io;
  command_line::HealthCommand command;
  std::vector<std::string> environment{"PATH=/usr/local/bin:/usr/bin:/bin", "MDL_HEALTH_TEST=told"};
  HealthCheck check;
};

std::vector<pid_t> pids_in(const std::filesystem::path& file, std::size_t count) {
  std::vector<pid_t> pids;
  becomes_true([&] {
    pids.clear();
    std::ifstream stream(file);
    for (pid_t pid = 0; stream >> pid;) { pids.push_back(pid); }
    return pids.size() >= count;
  });
  return pids;
}

bool all_gone(const std::vector<pid_t>& pids) {
  return becomes_true([&] { return std::none_of(pids.begin(), pids.end(), [](pid_t pid) { return is_alive(pid); }); });
}

}  // namespace

TEST_CASE("a health command that ends well is a healthy node, again and again") {
  HealthBench bench("echo all well; [ \"$MDL_HEALTH_TEST\" = told ]");
  for (int i = 0; i < 3; ++i) {
    const HealthVerdict verdict = bench.run();
    CHECK(verdict.healthy);
    CHECK(verdict.problem.empty());
  }
}

TEST_CASE("one that fails is quoted: the last line of its errors, else of its output") {
  CHECK(HealthBench("echo first >&2; echo 'GPU 2 is gone' >&2; echo >&2; echo out; exit 3").run().problem ==
        "ended with exit code 3: GPU 2 is gone");
  CHECK(HealthBench("echo only out; exit 4").run().problem == "ended with exit code 4: only out");
  CHECK(HealthBench("exit 5").run().problem == "ended with exit code 5, and said nothing");
  CHECK(HealthBench("echo dying; kill -9 $$").run().problem == "was ended by SIGKILL: dying");
}

TEST_CASE("what a health command says cannot steer a terminal, nor fill memory or the message") {
  const HealthVerdict verdict =
      HealthBench("printf '\\033[2Jred\\007 ' >&2; head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1").run();
  CHECK_THAT(verdict.problem, Contains("exit code 1: red xxx") && !Contains("\x1b") && !Contains("\a"));
  CHECK(verdict.problem.size() < 600);
}

TEST_CASE("a health command that cannot be started is no healthy node") {
  HealthBench bench("");
  bench.command.executable = "/no/such/program";
  CHECK_THAT(bench.run().problem, Contains("could not be started: No such file"));
}

TEST_CASE("a health command that hangs is killed at the limit with its children, and its last line is told") {
  const TempDir dir;
  const std::string file = (dir.path() / "pids").string();
  // A child that ignores signals, and one in a session of its own.
  HealthBench bench("echo asking GPU 3; sh -c 'trap \"\" TERM INT; echo $$ >> " + file +
                        "; while :; do sleep 100; done' & setsid sh -c 'echo $$ >> " + file +
                        "; while :; do sleep 100; done' & echo $$ >> " + file + "; wait",
                    300ms);
  const HealthVerdict verdict = bench.run();
  CHECK_FALSE(verdict.healthy);
  CHECK(verdict.problem == "did not end within 0.3 s and was killed: asking GPU 3");
  const std::vector<pid_t> pids = pids_in(file, 3);
  CHECK(pids.size() == 3);
  CHECK(all_gone(pids));
}

TEST_CASE("what a health command leaves in its process group ends with it, and does not hold it up") {
  const TempDir dir;
  const std::string file = (dir.path() / "pids").string();
  HealthBench bench("sh -c 'echo $$ > " + file + "; sleep 100; sleep 100' & until [ -s " + file + " ]; do :; done");
  CHECK(bench.run().healthy);
  CHECK(all_gone(pids_in(file, 1)));
}

TEST_CASE("a health command that is given up ends at once, and none is started after it") {
  const TempDir dir;
  const std::string file = (dir.path() / "pids").string();
  HealthBench bench("echo $$ >> " + file + "; sleep 100; sleep 100");
  const HealthVerdict verdict = bench.run([&] {
    if (std::filesystem::exists(file)) { bench.check.stop(); }
  });
  CHECK_FALSE(verdict.healthy);
  CHECK(verdict.problem.empty());
  bench.run();
  const std::vector<pid_t> pids = pids_in(file, 1);
  CHECK(pids.size() == 1);
  CHECK(all_gone(pids));
}
