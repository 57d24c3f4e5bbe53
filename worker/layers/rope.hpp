#pragma once

#include <ATen/core/Tensor.h>

namespace mdl::worker::layers {

/// Rotary position angles of packed tokens: cos and sin, [tokens, 1, head_dim / 2].
struct RopeAngles {
  at::Tensor cos;
  at::Tensor sin;
};

/// Angle of position p and pair i: p / theta^(2i / head_dim), computed in float32, given in `dtype`.
RopeAngles rope_angles(const at::Tensor& positions, int64_t head_dim, double theta, at::ScalarType dtype);

/// Rotates each pair (x[i], x[i + head_dim / 2]) of every head by its angle. x [tokens, heads, head_dim].
at::Tensor rotated(const at::Tensor& x, const RopeAngles& rope);

}  // namespace mdl::worker::layers
