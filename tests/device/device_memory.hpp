#pragma once

#include <c10/core/CachingDeviceAllocator.h>

#include <cstdint>

namespace mdl::test::device {

/// The device's memory, which is the host's. Counts in blocks of 512 bytes, as CUDA's allocator does, and never gives
/// back what it once took from the system. New memory holds no zeros: every float in it is a NaN.
c10::DeviceAllocator& device_memory();

/// Host memory that copies need not wait for.
c10::Allocator& pinned_memory();
bool is_pinned(const void* data);

/// Bytes that tensors hold on the device.
int64_t bytes_now();
/// The most since the last reset_peak().
int64_t bytes_at_peak();
void reset_peak();

/// The device has so many bytes while this lives: more is an error, as of a GPU.
class MemoryLimit {
 public:
  explicit MemoryLimit(int64_t bytes);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
};

}  // namespace mdl::test::device
