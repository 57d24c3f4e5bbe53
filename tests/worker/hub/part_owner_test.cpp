#include "worker/hub/part_owner.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

using namespace mdl;
using namespace mdl::worker::hub;

namespace {

const PartOwner kHere{"node1", "aaaaaaaa", "bbbbbbbb", 4026531836, 100, 5000};

std::optional<ProcessStat> nobody(pid_t /*pid*/) {
  return std::nullopt;
}

/// A process table in which every process is as this.
auto all_are(char state, std::uint64_t start_time, std::int64_t threads = 1) {
  return [=](pid_t) {
    return std::optional(ProcessStat{.state = state, .parent = 1, .start_time = start_time, .threads = threads});
  };
}

bool none_exists(pid_t /*pid*/) {
  return false;
}

bool all_exist(pid_t /*pid*/) {
  return true;
}

PartOwner with(const auto& change) {
  PartOwner owner = kHere;
  owner.pid = 200;
  change(owner);
  return owner;
}

}  // namespace

TEST_CASE("an owner stands in a name and is read from it") {
  CHECK(kHere.text() == "node1-aaaaaaaa-bbbbbbbb-4026531836-100-5000");
  CHECK(parse_part_owner(kHere.text()) == kHere);
  for (const char* text : {"", "a-b-c-1-2", "a-b-c-1-2-3-4", "a-b-c-x-2-3", "a--c-1-2-3", "a-b-c-1-2-", "a/b-b-c-1-2-3",
                           "a-b-c-1--2-3", "a-b-c-1-99999999999-3"}) {
    INFO(text);
    CHECK_FALSE(parse_part_owner(text));
  }
}

TEST_CASE("this process is its own owner, and alive") {
  const PartOwner here = this_process();
  CHECK(here.pid == ::getpid());
  CHECK(here.start_time > 0);
  CHECK(here.pid_namespace > 0);
  CHECK(here.boot.size() == 8);
  CHECK(parse_part_owner(here.text()) == here);
  CHECK_FALSE(has_ended(here, here));
}

TEST_CASE("an owner in the same process table has ended when it is not there, or its number is another one's") {
  const PartOwner owner = with([](PartOwner&) {});
  CHECK(has_ended(owner, kHere, nobody, none_exists));
  CHECK_FALSE(has_ended(owner, kHere, all_are('S', 5000)));
  CHECK(has_ended(owner, kHere, all_are('S', 5001)));
  CHECK(has_ended(owner, kHere, all_are('Z', 5000)));
  CHECK_FALSE(has_ended(owner, kHere, all_are('Z', 5000, 2)));  // one of its threads is still at it
}

TEST_CASE("an owner that /proc does not show lives while the kernel knows it") {
  CHECK_FALSE(has_ended(with([](PartOwner&) {}), kHere, nobody, all_exist));
  PartOwner here = this_process();
  const auto hidden = [&](pid_t) { return std::optional<ProcessStat>(); };
  CHECK_FALSE(has_ended(here, here, hidden));
}

TEST_CASE("without /proc on either side nothing is certain") {
  const auto blind = [](PartOwner& owner) {
    owner.boot = "0";
    owner.pid_namespace = owner.start_time = 0;
  };
  PartOwner blind_here = kHere;
  blind(blind_here);
  const auto new_boot = with([](PartOwner& other) { other.boot = "cccccccc"; });
  CHECK_FALSE(has_ended(with(blind), kHere, nobody, none_exists));
  CHECK_FALSE(has_ended(with([](PartOwner&) {}), blind_here, nobody, none_exists));
  CHECK_FALSE(has_ended(new_boot, blind_here, nobody, none_exists));
  CHECK_FALSE(has_ended(with(blind), blind_here, nobody, none_exists));
}

TEST_CASE("a process whose first thread has ended, and not another one, lives") {
  int begun[2];
  REQUIRE(::pipe(begun) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([&] {
      const pid_t self = ::getpid();
      while (process_stat(self).value_or(ProcessStat{}).state != 'Z') { std::this_thread::yield(); }
      (void)!::write(begun[1], "x", 1);
      while (true) { ::pause(); }
    }).detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }
  char byte = 0;
  REQUIRE(::read(begun[0], &byte, 1) == 1);
  PartOwner owner = this_process();
  owner.pid = child;
  owner.start_time = process_stat(child).value().start_time;
  CHECK_FALSE(has_ended(owner, this_process()));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(has_ended(owner, this_process()));
  ::close(begun[0]);
  ::close(begun[1]);
}

TEST_CASE("an owner of the same machine before it was started anew has ended") {
  const PartOwner owner = with([](PartOwner& other) { other.boot = "cccccccc"; });
  CHECK(has_ended(owner, kHere, all_are('S', 5000)));
}

TEST_CASE("of an owner elsewhere nothing is known") {
  const auto other_machine = with([](PartOwner& other) { other.boot = "cccccccc", other.machine = "dddddddd"; });
  const auto container = with([](PartOwner& other) { other.pid_namespace = 7; });
  const auto nameless = with([](PartOwner& other) { other.boot = "cccccccc", other.machine = "0"; });
  PartOwner nameless_here = kHere;
  nameless_here.machine = "0";
  CHECK_FALSE(has_ended(other_machine, kHere, nobody));
  CHECK_FALSE(has_ended(container, kHere, nobody));
  CHECK_FALSE(has_ended(nameless, nameless_here, nobody));
}
