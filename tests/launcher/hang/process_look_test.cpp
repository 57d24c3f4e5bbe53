#include "launcher/hang/process_look.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <thread>

#include "common/process_stat.hpp"

using namespace mdl;
using namespace mdl::launcher::hang;
using namespace std::chrono_literals;

namespace {

/// A process that does what it is told until it is killed.
class LookedAtProcess {
 public:
  template <typename Body>
  explicit LookedAtProcess(Body body) : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also where the tests are killed
      ::setsid();
      body();
      ::_exit(0);
    }
  }
  ~LookedAtProcess() {
    ::kill(-pid_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  LookedAtProcess(const LookedAtProcess&) = delete;
  LookedAtProcess& operator=(const LookedAtProcess&) = delete;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

template <typename Condition>
bool wait_until(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!condition() && std::chrono::steady_clock::now() < deadline) { std::this_thread::sleep_for(1ms); }
  return condition();
}

void wait_for_state(pid_t pid, char state) {
  REQUIRE(wait_until([&] { return process_stat(pid)->state == state; }));
}

/// False in some sandboxes, and where the kernel was built without it.
bool kernel_tells_of_waiting_for_a_cpu() {
  std::ifstream file("/proc/self/schedstat");
  std::uint64_t ran = 0;
  return file >> ran && ran > 0;
}

[[noreturn]] void sleep_for_ever() {
  while (true) { ::pause(); }
}

}  // namespace

TEST_CASE("a worker that is stopped, one that computes and one that sleeps are told apart by the kernel") {
  const LookedAtProcess stopped([] { ::raise(SIGSTOP); });
  const LookedAtProcess computing([] {
    while (true) { static_cast<void>(::getppid()); }
  });
  const LookedAtProcess sleeping([] { sleep_for_ever(); });
  wait_for_state(stopped.pid(), 'T');
  wait_for_state(sleeping.pid(), 'S');
  const ProcessLook look(::getpid(), {stopped.pid(), computing.pid(), 0, sleeping.pid()});
  const std::uint64_t before = process_stat(computing.pid())->cpu_ticks;
  REQUIRE(wait_until([&] { return process_stat(computing.pid())->cpu_ticks >= before + 5; }));
  const auto ranks = look.again();
  REQUIRE(ranks.size() == 4);
  CHECK((state_of(ranks[0]) == 'T' && ranks[0].process_count == 1 && ranks[0].processes[0].pid == stopped.pid()));
  CHECK((state_of(ranks[1]) == 'R' && ranks[1].cpu >= 0.05 && ranks[1].processes[0].name == "launcher_tests"));
  CHECK(ranks[2].processes.empty());
  CHECK((state_of(ranks[3]) == 'S' && ranks[3].cpu == 0));
  CHECK(look.seconds() > 0);
}

TEST_CASE("a worker that waits for a CPU which another one has is seen to want it") {
  if (!kernel_tells_of_waiting_for_a_cpu()) {
    WARN("left out: /proc/self/schedstat tells nothing here");
    return;
  }
  const auto on_the_first_cpu = [] {
    cpu_set_t all, one;
    ::sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all)) { ++cpu; }
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof one, &one);
    while (true) { static_cast<void>(::getppid()); }
  };
  const LookedAtProcess first(on_the_first_cpu);
  const LookedAtProcess second(on_the_first_cpu);
  const ProcessLook look(::getpid(), {first.pid(), second.pid()});
  const auto computed = [&] { return process_stat(first.pid())->cpu_ticks + process_stat(second.pid())->cpu_ticks; };
  const std::uint64_t before = computed();
  REQUIRE(wait_until([&] { return computed() >= before + 40; }));
  const auto ranks = look.again();
  // Together they have had the one CPU at most, and each of them wanted it all the time.
  CHECK(ranks[0].queued + ranks[1].queued >= 0.7 * look.seconds());
  CHECK(ranks[0].processes[0].queued == ranks[0].queued);
}

TEST_CASE("the processes below a worker are its own, and children that have ended are not told") {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const LookedAtProcess worker([&] {
    const pid_t stopped = ::fork();
    if (stopped == 0) {
      ::raise(SIGSTOP);
      ::_exit(0);
    }
    const pid_t ended = ::fork();
    if (ended == 0) { ::_exit(0); }
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(ended), &info, WEXITED | WNOWAIT);
    ::waitid(P_PID, static_cast<id_t>(stopped), &info, WSTOPPED | WNOWAIT);
    (void)!::write(ready[1], &stopped, sizeof stopped);
    sleep_for_ever();
  });
  pid_t stopped = 0;
  REQUIRE(::read(ready[0], &stopped, sizeof stopped) == static_cast<ssize_t>(sizeof stopped));
  ::close(ready[0]);
  ::close(ready[1]);
  const ProcessLook look(::getpid(), {worker.pid()});
  CHECK(look.trees().at(0) == std::vector<pid_t>{worker.pid(), stopped});
  const auto ranks = look.again();
  CHECK((ranks[0].process_count == 2 && ranks[0].processes[0].pid == worker.pid()));
  CHECK(telling_process(ranks[0])->pid == stopped);
}
