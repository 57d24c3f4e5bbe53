#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <vector>

namespace mdl::worker::tensors {

/// Host numbers as an int64 tensor of their own on `device`.
inline at::Tensor index_tensor(const std::vector<int64_t>& values, at::Device device) {
  auto* data = const_cast<int64_t*>(values.data());
  return at::from_blob(data, {static_cast<int64_t>(values.size())}, at::kLong)
      .to(device, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace mdl::worker::tensors
