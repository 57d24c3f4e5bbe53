#include "launcher/machine/gpu_count.hpp"

#include <sched.h>

#include <catch2/catch.hpp>

#include "common/error.hpp"

using namespace mdl;
using namespace mdl::launcher::machine;

namespace {
const GpuInventory four{4, std::vector<std::string>{"GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44"}, "test",
                        std::nullopt};
}

// tests/peer/launch/test_launch_gpu_count.py compares the same rules with torch's own.
TEST_CASE("CUDA_VISIBLE_DEVICES limits the GPUs as CUDA reads it") {
  CHECK(visible_gpus(std::nullopt, four) == 4);
  CHECK(visible_gpus("", four) == 0);
  CHECK(visible_gpus("-1", four) == 0);
  CHECK(visible_gpus("NoDevFiles", four) == 0);
  CHECK(visible_gpus("0,1", four) == 2);
  CHECK(visible_gpus("3", four) == 1);
  CHECK(visible_gpus(" 2 , 0 ", four) == 2);
  CHECK(visible_gpus("0,1,9,2", four) == 2);
  CHECK(visible_gpus("0,-1,2", four) == 1);
  CHECK(visible_gpus("1,1", four) == 0);
  CHECK(visible_gpus("0,1,", four) == 2);
}

TEST_CASE("GPUs are named by a unique beginning of their UUID") {
  CHECK(visible_gpus("GPU-aa11,GPU-cc44", four) == 2);
  CHECK(visible_gpus("GPU-b", four) == 1);
  CHECK(visible_gpus("GPU-aa", four) == 0);
  CHECK(visible_gpus("GPU-b,GPU-bb33", four) == 0);
  CHECK(visible_gpus("GPU-bb33,GPU-none,GPU-cc44", four) == 1);
}

TEST_CASE("of MIG devices a process sees one") {
  CHECK(visible_gpus("MIG-1c2d,MIG-3e4f", four) == 1);
  CHECK(visible_gpus("MIG-1c2d", GpuInventory{}) == 0);
}

TEST_CASE("the number of workers is a number, cpu, gpu or auto") {
  CHECK(count_workers("3", std::nullopt) == 3);
  cpu_set_t cpus;
  REQUIRE(::sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  CHECK(count_workers("cpu", std::nullopt) == CPU_COUNT(&cpus));
  for (const char* wrong : {"0", "-2", "2.5", "gpus", "", "2x"}) {
    CHECK_THROWS_AS(count_workers(wrong, std::nullopt), mdl::UsageError);
  }
  CHECK_THROWS_WITH(count_workers("xpu", std::nullopt), Catch::Contains("xpu") && Catch::Contains("Intel"));
}

TEST_CASE("no visible GPU is an error that says what to do, and auto takes the CPUs then") {
  CHECK_THROWS_WITH(count_workers("gpu", ""), Catch::Contains("--nproc-per-node gpu") && Catch::Contains("\n"));
  CHECK(count_workers("auto", "") == count_workers("cpu", std::nullopt));
}
