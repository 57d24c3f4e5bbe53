#include "worker/training/memory_peak.hpp"

#include <torch/torch.h>

#include <catch2/catch.hpp>

#include "tests/device/counting_device.hpp"
#include "tests/device/device_memory.hpp"
#include "tests/device/tiny_training.hpp"

using namespace mdl::test::device;
using namespace mdl::worker::training;

TEST_CASE("the peak of a device's memory is what tensors took since the count began anew; the CPU has none") {
  CHECK(!memory_peak(at::kCPU));
  reset_memory_peak(at::kCPU);
  const int64_t before = bytes_now();
  reset_memory_peak(kCountingDevice);
  at::empty({8 << 20}, at::TensorOptions().dtype(at::kByte).device(kCountingDevice));
  CHECK(memory_peak(kCountingDevice)->allocated == before + (8 << 20));
  CHECK(memory_peak(kCountingDevice)->reserved >= before + (8 << 20));
  reset_memory_peak(kCountingDevice);
  CHECK(memory_peak(kCountingDevice)->allocated == before);
}

TEST_CASE("peaks are told with the Python tool's words, those of training with what was reserved") {
  const MemoryPeak peak{.allocated = int64_t{3} << 29, .reserved = (int64_t{7} << 28) + 100};
  CHECK(describe_memory_peak("loading", peak) == "Peak VRAM during loading: 1.500 GiB\n");
  CHECK(describe_memory_peak("training", peak) ==
        "Peak VRAM during training: 1.500 GiB\nReserved VRAM during training: 1.750 GiB\n");
}

TEST_CASE("a run reports the peak of its device, and on the CPU none") {
  const TinyInputs inputs(Clips::equal);
  const TinyResult found = train(inputs, {}, kCountingDevice);
  REQUIRE(found.peak_gib);
  CHECK(*found.peak_gib * (1 << 30) >= static_cast<double>(found.bytes_at_peak));
  CHECK(*found.peak_gib * (1 << 30) < 10.0 * static_cast<double>(found.bytes_at_peak));
  CHECK(!train(inputs, {}, at::kCPU).peak_gib);
}
