#include "worker/health/command/device_speed.hpp"

#include <torch/torch.h>

#include "worker/distributed/process_group.hpp"
#include "worker/health/timed_repeats.hpp"

namespace mdl::worker::health::command {
namespace {

/// Waits until the device has done all that it was told.
void wait_for(const at::Tensor& result) {
  if (!result.is_cpu()) { static_cast<void>(result.flatten()[0].item()); }
}

}  // namespace

DeviceSizes sizes_for(at::Device device) {
  if (device.is_cpu()) { return {.rows = 1024, .bytes = std::int64_t{64} << 20}; }
  return {.rows = 8192, .bytes = std::int64_t{1} << 30};
}

at::ScalarType product_type(at::Device device) {
  if (device.is_cpu()) { return at::kFloat; }
  return distributed::prefers_bf16(device) ? at::kBFloat16 : at::kHalf;
}

HealthPart::Numbers measure_matrix_product(at::Device device, const DeviceSizes& sizes,
                                           std::chrono::nanoseconds duration) {
  const at::NoGradGuard no_gradients;
  const auto options = at::TensorOptions(device).dtype(product_type(device));
  const at::Tensor a = at::full({sizes.rows, sizes.rows}, 0.5, options);
  const at::Tensor b = at::full({sizes.rows, sizes.rows}, 0.25, options);
  at::Tensor product = at::empty({sizes.rows, sizes.rows}, options);
  const Repeats repeats = measure_repeats(
      [&] {
        at::mm_out(product, a, b);
        wait_for(product);
      },
      {.budget = duration});
  const auto rows = static_cast<double>(sizes.rows);
  return {{"flop_per_s", per_second(2 * rows * rows * rows, repeats.median)},
          {"rows", sizes.rows},
          {"repeats", repeats.count}};
}

HealthPart::Numbers measure_memory_copy(at::Device device, const DeviceSizes& sizes,
                                        std::chrono::nanoseconds duration) {
  const at::NoGradGuard no_gradients;
  const auto options = at::TensorOptions(device).dtype(at::kFloat);
  const std::int64_t count = sizes.bytes / static_cast<std::int64_t>(sizeof(float));
  const at::Tensor from = at::full({count}, 1.5, options);
  at::Tensor to = at::zeros({count}, options);
  const Repeats repeats = measure_repeats(
      [&] {
        to.copy_(from);
        wait_for(to);
      },
      {.budget = duration});
  return {{"bytes_per_s", per_second(static_cast<double>(sizes.bytes), repeats.median)},
          {"bytes", sizes.bytes},
          {"repeats", repeats.count}};
}

}  // namespace mdl::worker::health::command
