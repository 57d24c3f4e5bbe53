#include "launcher/gpus/gpu_watch.hpp"

#include <dlfcn.h>
#include <sched.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>

using namespace mdl::launcher::gpus;
using namespace std::chrono_literals;
using mdl::nvidia::GpuHealth;

namespace {

bool no_child_within(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (::waitpid(-1, nullptr, WNOHANG) >= 0 && std::chrono::steady_clock::now() < deadline) { ::sched_yield(); }
  return ::waitpid(-1, nullptr, WNOHANG) < 0;
}

}  // namespace

TEST_CASE("a GPU's condition is told in words, as far as it is known") {
  GpuHealth::Condition condition;
  CHECK(describe_gpu(condition, {}).empty());
  condition.clock = 1200;
  CHECK(describe_gpu(condition, {}) == "1200 MHz");
  condition.celsius = 84;
  condition.highest_clock = 1980;
  condition.slowed_by = {"heat (the hardware)", "the power supply"};
  CHECK(describe_gpu(condition, {79, 13}) ==
        "84 °C, 1200 of 1980 MHz, slowed down by heat (the hardware), the power supply, Xid 79, Xid 13");
}

TEST_CASE("each worker's GPU is the one that CUDA_VISIBLE_DEVICES leaves it, and is looked at by the driver") {
  void* const driver = ::dlopen(MDL_BIN_DIR "/fake_nvml/libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  REQUIRE(driver != nullptr);
  ::setenv("MDL_FAKE_CONDITION", "70 1500 1980 0x40", 1);
  const std::vector<std::string> all = gpus_of_workers(3, std::nullopt);
  REQUIRE(all.size() == 3);
  CHECK(all[0] != all[1]);
  CHECK(all[2].empty());  // there are two GPUs
  CHECK(gpus_of_workers(1, "1") == std::vector<std::string>{all[1]});
  {
    mdl::asio::io_context io;
    const GpuWatch watch(io, [&] { return std::vector<std::string>{all[0], ""}; });
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (watch.facts(0).empty() && std::chrono::steady_clock::now() < deadline) { io.run_one_for(5ms); }
    CHECK(watch.facts(0) == "70 °C, 1500 of 1980 MHz, slowed down by heat (the hardware)");
    CHECK(watch.facts(1).empty());
    CHECK(watch.facts(7).empty());
  }
  ::unsetenv("MDL_FAKE_CONDITION");
  ::dlclose(driver);
  CHECK(no_child_within(20s));
}

TEST_CASE("where no worker has a GPU the process that looks ends by itself, and leaves no zombie") {
  mdl::asio::io_context io;
  const GpuWatch watch(io, [] { return std::vector<std::string>{"", ""}; });
  io.run_for(20s);  // until nothing is left to do
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
  CHECK(watch.facts(0).empty());
}
