#include "worker/training/memory_peak.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <torch/version.h>

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
#define MDL_LIBTORCH_HAS_DEVICE_ALLOCATOR  // one interface to the allocators of all devices
#elif defined(MDL_WITH_CUDA)
#include <c10/cuda/CUDACachingAllocator.h>
#endif
#ifdef MDL_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

#include <array>
#include <cstdio>

#include "common/str_cat.hpp"

namespace mdl::worker::training {
namespace {

constexpr double kGib = 1 << 30;

/// Null for the CPU, whose allocator keeps no account.
#ifdef MDL_LIBTORCH_HAS_DEVICE_ALLOCATOR
c10::DeviceAllocator* allocator_of(at::Device device) {
  return device.is_cpu() ? nullptr : dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
}
#elif defined(MDL_WITH_CUDA)
c10::cuda::CUDACachingAllocator::CUDAAllocator* allocator_of(at::Device device) {
  return device.is_cuda() ? c10::cuda::CUDACachingAllocator::get() : nullptr;
}
#else
struct NoAllocator {
  static c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex /*device*/) { return {}; }
  static void resetPeakStats(c10::DeviceIndex /*device*/) {}
};
NoAllocator* allocator_of(at::Device /*device*/) {
  return nullptr;
}
#endif

std::string three_digits(int64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", in_gib(bytes));
  return text.data();
}

}  // namespace

std::optional<MemoryPeak> memory_peak(at::Device device) {
  auto* const allocator = allocator_of(device);
  if (!allocator) { return std::nullopt; }
  const auto stats = allocator->getDeviceStats(device.index());
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return MemoryPeak{.allocated = stats.allocated_bytes.at(kAll).peak, .reserved = stats.reserved_bytes.at(kAll).peak};
}

void reset_memory_peak(at::Device device) {
  if (auto* const allocator = allocator_of(device)) { allocator->resetPeakStats(device.index()); }
}

std::optional<int64_t> memory_size(at::Device device) {
#ifdef MDL_WITH_CUDA
  size_t available = 0, all = 0;
  if (device.is_cuda() && cudaMemGetInfo(&available, &all) == cudaSuccess) { return static_cast<int64_t>(all); }
#endif
  static_cast<void>(device);
  return std::nullopt;
}

double in_gib(int64_t bytes) {
  return static_cast<double>(bytes) / kGib;
}

std::string describe_memory_peak(const std::string& phase, const MemoryPeak& peak) {
  std::string lines = str_cat("Peak VRAM during ", phase, ": ", three_digits(peak.allocated), " GiB\n");
  if (phase == "training") {
    lines += str_cat("Reserved VRAM during training: ", three_digits(peak.reserved), " GiB\n");
  }
  return lines;
}

}  // namespace mdl::worker::training
