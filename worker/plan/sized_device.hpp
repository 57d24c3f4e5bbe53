#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/Device.h>

#include <cstdint>

namespace mdl::worker::plan {

/// A device (PrivateUse1) whose tensors have a size but no values: what runs on it allocates and frees as it would on a
/// GPU, and computes nothing. So a training step of a model of any size takes a second, a few MiB of this machine's
/// memory, and tells what the step needs on a GPU.
///
/// Operators take the shapes of their results from their meta kernels (sized_operators.cpp). One without such a kernel
/// throws; so does one whose tensors lie on different devices, as CUDA's do. A number that is read from the device
/// is 1. Attention allocates as FlashAttention 2 does; where CUDA has no fused kernel (float32 with grouped query
/// heads), as the plain formula.
///
/// Not for a process that computes on a GPU: LibTorch takes such a device for the accelerator before CUDA, for pinned
/// memory and the streams of a backward pass.
at::Device sized_device();

/// Bytes of the device's tensors, each rounded up to 512 as CUDA's caching allocator rounds them.
struct DeviceBytes {
  int64_t live;
  int64_t peak;  ///< the most since the start or the last forget_peak()
};
DeviceBytes sized_bytes();
void forget_peak();

/// What the device's own operators allocate with.
c10::Allocator* sized_allocator();

}  // namespace mdl::worker::plan
