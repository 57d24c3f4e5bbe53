#pragma once

#include <ATen/core/ScalarType.h>
#include <c10/core/Device.h>

#include <chrono>
#include <cstdint>

#include "worker/health/health_report.hpp"

namespace mdl::worker::health::command {

/// How much is computed and copied: the same on all nodes, so that they can be compared.
struct DeviceSizes {
  std::int64_t rows = 0;   ///< of the square matrices that are multiplied
  std::int64_t bytes = 0;  ///< that are copied
};
/// 8192 rows and 1 GiB of a GPU, 1024 rows and 64 MiB of a CPU.
DeviceSizes sizes_for(at::Device device);

/// What a GPU or a CPU multiplies in: bfloat16, float16 where a GPU has none, float32 on a CPU.
at::ScalarType product_type(at::Device device);

/// Multiplies two matrices again and again for `duration`: "flop_per_s", "rows", "repeats". Throws c10::Error where the
/// device has no room for them.
HealthPart::Numbers measure_matrix_product(at::Device device, const DeviceSizes& sizes,
                                           std::chrono::nanoseconds duration);

/// Copies within the device's memory again and again: "bytes_per_s", which are read and written once each, "bytes",
/// "repeats". The same errors.
HealthPart::Numbers measure_memory_copy(at::Device device, const DeviceSizes& sizes, std::chrono::nanoseconds duration);

}  // namespace mdl::worker::health::command
