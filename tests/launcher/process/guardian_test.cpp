#include "launcher/process/guardian.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "common/atomic_file.hpp"
#include "common/error.hpp"
#include "launcher/process/process_tree.hpp"
#include "tests/launcher/process/process_probe.hpp"
#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::launcher::process;
using Kind = GuardianEvent::Kind;

namespace {

GuardianEvent next(Guardian& guardian) {
  for (;;) {
    if (const auto event = guardian.next_event()) { return *event; }
    pollfd ready{guardian.event_fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 10'000) == 1);
  }
}

/// The pids that a script has written to `file`, one a line, once there are `count`.
std::vector<pid_t> pids_in(const std::filesystem::path& file, std::size_t count) {
  std::vector<pid_t> pids;
  REQUIRE(test::becomes_true([&] {
    pids.clear();
    std::ifstream in(file);
    for (pid_t pid; in >> pid;) { pids.push_back(pid); }
    return pids.size() >= count;
  }));
  return pids;
}

/// A worker with a child, a daemon that has left its session and its parent, and a child that ignores SIGTERM.
std::string family(const std::filesystem::path& file) {
  const std::string f = file.string();
  return "sleep 1000 & echo $! >> " + f + "; setsid sh -c 'sleep 1000 & echo $! >> " + f +
         "' ; sh -c 'trap \"\" TERM; echo $$ >> " + f + "; sleep 1000; sleep 1000' & echo $$ >> " + f +
         "; wait; sleep 1000";
}

}  // namespace

TEST_CASE("the guardian tells of every start and every end with its status") {
  Guardian guardian({test::shell("exit 0"), test::shell("exit 7"), test::shell("kill -SEGV $$")});
  int statuses[3] = {-1, -1, -1};
  int started = 0;
  for (int i = 0; i < 6; ++i) {
    const GuardianEvent event = next(guardian);
    if (event.kind == Kind::started) { ++started; }
    if (event.kind == Kind::exited) { statuses[event.local_rank] = event.value; }
  }
  CHECK(started == 3);
  CHECK(statuses[0] == 0);
  CHECK(WEXITSTATUS(statuses[1]) == 7);
  CHECK((WIFSIGNALED(statuses[2]) && WTERMSIG(statuses[2]) == SIGSEGV));
  guardian.let_go({}, false);
}

TEST_CASE("a worker that cannot be started ends the start, and the reason is told") {
  WorkerSpec bad = test::shell("true");
  bad.executable = "/nonexistent";
  Guardian guardian({test::shell("sleep 1000"), bad, test::shell("sleep 1000")});
  CHECK(next(guardian).kind == Kind::started);
  const GuardianEvent event = next(guardian);
  CHECK(event.kind == Kind::start_failed);
  CHECK(event.local_rank == 1);
  CHECK(event.value == ENOENT);
  guardian.kill_all();
  CHECK(next(guardian).kind == Kind::exited);
  CHECK(next(guardian).kind == Kind::all_gone);
}

TEST_CASE("when nothing of a group is left the guardian says so without being asked") {
  Guardian guardian({test::shell("(sleep 0.05; sleep 0.05) & exit 3")});
  while (next(guardian).kind != Kind::exited) {}
  CHECK(next(guardian).kind == Kind::all_gone);
}

TEST_CASE("kill_all leaves no descendant, whatever session it is in and whatever it ignores") {
  test::TempDir dir;
  Guardian guardian({test::shell(family(dir.path() / "pids"))});
  const auto pids = pids_in(dir.path() / "pids", 4);
  for (const pid_t pid : pids) { CHECK(test::is_alive(pid)); }
  guardian.kill_all();
  while (next(guardian).kind != Kind::all_gone) {}
  for (const pid_t pid : pids) { CHECK_FALSE(test::is_alive(pid)); }
}

TEST_CASE("the end of the launcher ends every descendant") {
  test::TempDir dir;
  std::vector<pid_t> pids;
  {
    Guardian guardian({test::shell(family(dir.path() / "pids"))});
    pids = pids_in(dir.path() / "pids", 4);
  }
  for (const pid_t pid : pids) {
    CHECK(test::becomes_true([&] { return !test::is_alive(pid); }));
  }
}

TEST_CASE("the death of the guardian is an error, ends the workers, and the launcher can end the rest") {
  test::TempDir dir;
  adopt_orphans();
  Guardian guardian({test::shell(family(dir.path() / "pids"))});
  const auto pids = pids_in(dir.path() / "pids", 4);
  CHECK(next(guardian).kind == Kind::started);
  ::kill(guardian.pid(), SIGKILL);
  CHECK_THROWS_AS(next(guardian), Error);
  CHECK(kill_and_reap_all(std::chrono::seconds(10)));
  for (const pid_t pid : pids) { CHECK_FALSE(test::is_alive(pid)); }
}

TEST_CASE("who descends from a process is told by climbing up, and a process by its start from those with its pid") {
  test::TempDir dir;
  const std::string file = (dir.path() / "pids").string();
  Guardian guardian({test::shell("echo $$ > " + file + "; setsid sleep 1000 & echo $! >> " + file)});
  while (next(guardian).kind != Kind::exited) {}
  const pid_t daemon = pids_in(file, 2)[1];
  CHECK(descends_from(daemon, guardian.pid()));
  CHECK(descends_from(daemon, ::getpid()));
  CHECK_FALSE(descends_from(guardian.pid(), guardian.pid()));
  CHECK_FALSE(descends_from(::getpid(), guardian.pid()));
  CHECK_FALSE(descends_from(1, guardian.pid()));
  REQUIRE(process_stat(daemon));
  CHECK(process_stat(daemon)->start_time >= process_stat(::getpid())->start_time);
  CHECK(process_stat(::getpid())->parent == ::getppid());
  guardian.kill_all();
  CHECK(test::becomes_true([&] { return !process_stat(daemon); }));
}

TEST_CASE("let_go leaves a daemon of a successful worker alone") {
  test::TempDir dir;
  const std::string file = (dir.path() / "pids").string();
  Guardian guardian({test::shell("setsid sleep 1000 & echo $! > " + file)});
  while (next(guardian).kind != Kind::exited) {}
  guardian.let_go({}, false);
  const pid_t daemon = pids_in(file, 1)[0];
  CHECK(test::is_alive(daemon));
  ::kill(daemon, SIGKILL);
}

TEST_CASE("signals reach the whole process group of a worker, and only living workers") {
  test::TempDir dir;
  const std::string file = (dir.path() / "got").string();
  Guardian guardian(
      {test::shell("exec 2>/dev/null; trap 'echo worker >> " + file + "; exit 3' USR1; sh -c 'trap \"echo child >> " +
                   file + "; exit\" USR1; echo ready >> " + file +
                   "; while :; do sleep 0.01; done' & while :; do sleep 0.01; done"),
       test::shell("exit 0")});
  while (next(guardian).kind != Kind::exited) {}
  REQUIRE(test::becomes_true([&] { return std::filesystem::exists(file) && read_text(file) == "ready\n"; }));
  guardian.signal_workers(SIGUSR1);
  const GuardianEvent event = next(guardian);
  CHECK(event.kind == Kind::exited);
  CHECK(event.local_rank == 0);
  CHECK(test::becomes_true([&] { return read_text(file).size() == std::string("ready\nworker\nchild\n").size(); }));
}
