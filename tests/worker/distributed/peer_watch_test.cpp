#include "worker/distributed/peer_watch.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <future>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "worker/distributed/process_group.hpp"

#include "worker/process/stop_signal.hpp"

using namespace mdl::worker::distributed;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kPatience = 300ms;

/// A backend of ranks that are not there.
struct Nobody : c10d::Backend {
  using Backend::Backend;
  const std::string getBackendName() const override { return "nobody"; }
  void abort() override {}
};

/// How long after a stop signal the connections are closed under something that does not end; `before`: how long the
/// same took when it ended.
Clock::duration closed_after(std::chrono::milliseconds before) {
  const mdl::worker::process::StopSignal stop;
  std::promise<Clock::time_point> closed;
  PeerWatch watch({.timeout = 60s, .after_stop = kPatience}, nullptr, [&] { closed.set_value(Clock::now()); });
  {
    const auto step = watch.expect("step 1");
    std::this_thread::sleep_for(before);
  }
  const auto step = watch.expect("step 2");
  const auto begin = Clock::now();
  std::raise(SIGTERM);
  auto end = closed.get_future();
  REQUIRE(end.wait_for(30s) == std::future_status::ready);
  try {
    watch.check();
    FAIL("the step may go on");
  } catch (const PeersLost& lost) {
    CHECK_THAT(lost.problem(),
               Catch::StartsWith("step 2 has not come to its end within ") && Catch::EndsWith(" of the stop signal"));
  }
  return end.get() - begin;
}

}  // namespace

TEST_CASE("after a stop signal a step has some seconds to end, twice as many where steps take longer") {
  CHECK(closed_after(0ms) >= kPatience);
  CHECK(closed_after(kPatience + 1ms) >= 2 * kPatience);
}

TEST_CASE("what cannot be woken once its connections are closed is left to the last resort") {
  const mdl::worker::process::StopSignal stop;
  std::promise<std::string> told;
  PeerWatch watch({.timeout = 60s, .after_stop = 50ms, .for_waking = 50ms}, nullptr, [] {});
  watch.when_stuck([&](const PeersLost& lost) { told.set_value(lost.problem()); });
  const auto step = watch.expect("step 3");
  std::raise(SIGTERM);
  auto problem = told.get_future();
  REQUIRE(problem.wait_for(30s) == std::future_status::ready);
  CHECK_THAT(problem.get(), Catch::StartsWith("step 3 has not come to its end within "));
}

TEST_CASE("a rank waits for another one's text in the store until the timeout, and no longer") {
  mdl::worker::process::WorkerEnvironment environment;
  environment.world_size = environment.local_world_size = 2;
  for (const int rank : {0, 1}) {
    environment.rank = environment.local_rank = rank;
    ProcessGroup group(environment, at::kCPU, WaitLimits{.timeout = 400ms}, c10::make_intrusive<c10d::HashStore>(),
                       c10::make_intrusive<Nobody>(rank, 2));
    const auto together = group.expect("the checkpoint of step 3");
    const auto wait = [&] {
      rank == 0 ? static_cast<void>(group.gather("rng/3", "", ProcessGroup::Patience::timeout))
                : static_cast<void>(group.share("finished", "", ProcessGroup::Patience::timeout));
    };
    CHECK_THROWS_WITH(wait(),
                      Catch::StartsWith("the checkpoint of step 3: nothing has come from the other ranks for "));
  }
}

TEST_CASE("a rank waits for as long as another one works, where no timeout is meant") {
  mdl::worker::process::WorkerEnvironment environment;
  environment.world_size = environment.local_world_size = 2;
  const auto store = c10::make_intrusive<c10d::HashStore>();
  ProcessGroup group(environment, at::kCPU, WaitLimits{.timeout = 100ms}, store, c10::make_intrusive<Nobody>(0, 2));
  const auto late = std::async(std::launch::async, [&] {
    std::this_thread::sleep_for(400ms);
    store->set("mdl/converted/1", std::vector<uint8_t>{'o', 'k'});
  });
  CHECK(group.gather("converted", "mine") == std::vector<std::string>{"mine", "ok"});
}
