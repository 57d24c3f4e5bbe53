#include "common/nvidia/driver.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/temp_dir.hpp"

using namespace mdl;
using namespace mdl::nvidia;

TEST_CASE("device files tell of GPUs whose driver does not answer") {
  test::TempDir folder;
  for (const char* name : {"nvidia1", "nvidia0", "nvidiactl", "nvidia-uvm", "nvidia"}) {
    std::ofstream(folder.path() / name).put('x');
  }
  std::ofstream(folder.path() / "version")
      << "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\nGCC version: 12.2.0\n";
  const Driver driver = find_driver(folder.path(), folder.path());
  if (driver.counted != "NVML") {  // there is no driver here
    CHECK(driver.gpus == 2);
    CHECK(driver.counted == (folder.path() / "nvidia0").string());
    CHECK(driver.version == "580.65.06");
  }
  CHECK(version_of_kernel(folder.path()) == "580.65.06");
  CHECK(version_of_kernel(folder.path() / "none").empty());
}

TEST_CASE("a driver is described as far as it is known") {
  CHECK(describe({.gpus = 2, .counted = "NVML", .version = "570.86.15", .cuda_version = 12080}) ==
        "2 NVIDIA GPUs (NVML; driver 570.86.15, for CUDA 12.8)");
  CHECK(describe({.gpus = 1, .counted = "/dev/nvidia0", .version = "580.65.06", .cuda_version = 0}) ==
        "1 NVIDIA GPU (/dev/nvidia0; driver 580.65.06)");
  CHECK(describe({.gpus = 1, .counted = "/dev/nvidia0", .version = "", .cuda_version = 0}) ==
        "1 NVIDIA GPU (/dev/nvidia0; no driver answers)");
  CHECK(cuda_version_text(13020) == "13.2");
}
