#include "launcher/process/worker_group.hpp"

#include <catch2/catch.hpp>

#include "launcher/process/process_tree.hpp"
#include "tests/launcher/process/process_probe.hpp"

using namespace mdl;
using namespace mdl::launcher::process;

TEST_CASE("a timer that expires before the start of its worker has been heard of is remembered") {
  asio::io_context io;
  loop::Notifier changed(io);
  WorkerGroup group(io, {test::shell("exec sleep 1000")}, changed);
  std::vector<pid_t> started;
  REQUIRE(test::becomes_true([&] { return !(started = descendants_of(*group.root())).empty(); }));
  REQUIRE(group.workers().front().phase == WorkerState::Phase::not_started);  // nothing has been read yet
  group.note_expired_timers(started.front(), "step");
  REQUIRE(test::becomes_true([&] {
    io.poll();
    return group.workers().front().phase == WorkerState::Phase::running;
  }));
  CHECK(group.workers().front().pid == started.front());
  CHECK(group.workers().front().expired_timers == "step");
}
