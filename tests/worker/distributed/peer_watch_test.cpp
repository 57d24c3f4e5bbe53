#include "worker/distributed/peer_watch.hpp"

#include <catch2/catch.hpp>
#include <csignal>
#include <future>

#include "worker/process/stop_signal.hpp"

using namespace mdl::worker::distributed;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kPatience = 300ms;

/// How long after a stop signal the connections are closed under something that does not end; `before`: how long the
/// same took when it ended.
Clock::duration closed_after(std::chrono::milliseconds before) {
  const mdl::worker::process::StopSignal stop;
  std::promise<Clock::time_point> closed;
  PeerWatch watch(0, {.timeout = 60s, .after_stop = kPatience}, nullptr, [&] { closed.set_value(Clock::now()); });
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
    CHECK_THAT(lost.problem(), Catch::StartsWith("rank 0: step 2 has not come to its end within ") &&
                                   Catch::EndsWith(" of the stop signal"));
  }
  return end.get() - begin;
}

}  // namespace

TEST_CASE("after a stop signal a step has some seconds to end, twice as many where steps take longer") {
  CHECK(closed_after(0ms) >= kPatience);
  CHECK(closed_after(kPatience + 1ms) >= 2 * kPatience);
}
