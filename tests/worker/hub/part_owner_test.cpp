#include "worker/hub/part_owner.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>

using namespace mdl;
using namespace mdl::worker::hub;

namespace {

const PartOwner kHere{"node1", "aaaaaaaa", "bbbbbbbb", 4026531836, 100, 5000};

std::optional<ProcessStat> nobody(pid_t /*pid*/) {
  return std::nullopt;
}

/// A process table in which every process is as this.
auto all_are(char state, std::uint64_t start_time) {
  return [=](pid_t) { return std::optional(ProcessStat{.state = state, .parent = 1, .start_time = start_time}); };
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
  CHECK(has_ended(owner, kHere, nobody));
  CHECK_FALSE(has_ended(owner, kHere, all_are('S', 5000)));
  CHECK(has_ended(owner, kHere, all_are('S', 5001)));
  CHECK(has_ended(owner, kHere, all_are('Z', 5000)));
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
