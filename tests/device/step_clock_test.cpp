#include "worker/training/loop/step_clock.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/device/counting_device.hpp"
#include "tests/device/traffic.hpp"

using namespace mdl::test::device;
using mdl::worker::training::loop::StepClock;

TEST_CASE("a device's clock divides a step into work and waiting, and no host waits for it") {
  constexpr auto kNap = std::chrono::milliseconds(5);
  constexpr double kSeconds = 0.005;
  StepClock clock(kCountingDevice);
  for (int step = 1; step <= 2; ++step) {
    clock.begin();
    std::this_thread::sleep_for(kNap);
    clock.wait();
    std::this_thread::sleep_for(2 * kNap);
    clock.work();
    clock.wait();  // the host's alone
    clock.work();
    const Traffic before = traffic();
    clock.end();
    CHECK((traffic() - before).host_reads == 0);
    CHECK(clock.own() >= step * kSeconds);
    CHECK(clock.waiting() >= 2 * step * kSeconds);
  }
  const double own = clock.own(), waiting = clock.waiting();
  clock.end();  // none has begun
  CHECK(clock.own() == own);
  CHECK(clock.waiting() == waiting);
  clock.begin();  // alone: there is nothing to wait for
  std::this_thread::sleep_for(kNap);
  clock.work();
  clock.end();
  CHECK(clock.own() >= own + kSeconds);
  CHECK(clock.waiting() == waiting);
}
