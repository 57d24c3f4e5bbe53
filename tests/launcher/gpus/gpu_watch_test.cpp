#include "launcher/gpus/gpu_watch.hpp"

#include <dlfcn.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>

using namespace mdl::launcher::gpus;
using namespace std::chrono_literals;
using mdl::nvidia::GpuHealth;

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
    const GpuWatch watch([&] { return std::vector<std::string>{all[0], ""}; });
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (watch.facts(0).empty() && std::chrono::steady_clock::now() < deadline) { std::this_thread::sleep_for(1ms); }
    CHECK(watch.facts(0) == "70 °C, 1500 of 1980 MHz, slowed down by heat (the hardware)");
    CHECK(watch.facts(1).empty());
    CHECK(watch.facts(7).empty());
  }
  ::unsetenv("MDL_FAKE_CONDITION");
  ::dlclose(driver);
}
