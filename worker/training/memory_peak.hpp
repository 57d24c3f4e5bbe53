#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>

namespace mdl::worker::training {

/// What a GPU's memory was at its fullest, in bytes.
struct MemoryPeak {
  int64_t allocated = 0;  ///< by tensors
  int64_t reserved = 0;  ///< by LibTorch's allocator from the driver: what tensors took, and what lay idle between them
};

/// Of `device`, by this process since its start or the last reset_memory_peak(). Nothing for the CPU.
std::optional<MemoryPeak> memory_peak(at::Device device);
void reset_memory_peak(at::Device device);

/// Bytes of memory that a GPU has. Nothing for the CPU.
std::optional<int64_t> memory_size(at::Device device);

double in_gib(int64_t bytes);

/// "Peak VRAM during training: 17.502 GiB" and, of training, "Reserved VRAM during training: 19.000 GiB": lines, the
/// first of which is the Python tool's. `phase`: "loading" or "training".
std::string describe_memory_peak(const std::string& phase, const MemoryPeak& peak);

}  // namespace mdl::worker::training
