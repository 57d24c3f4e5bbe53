#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace mdl::worker::layers {

// Operations that would be several of LibTorch's, as one pass over the rows (worker/kernels/) on all of its threads.

/// Whether they serve these tensors: float32 on the CPU, contiguous, and the processor has the instructions.
bool takes_cpu_kernels(const at::Tensor& x);
bool takes_cpu_kernels(const at::Tensor& x, const at::Tensor& y);

struct CpuNormalized {
  at::Tensor y;        ///< weight · x / sqrt(mean(x²) + eps), as x
  at::Tensor inverse;  ///< of the root, [..., 1]
};

/// Over the last dimension of x; weight [dim].
CpuNormalized cpu_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// The gradient of x from that of y.
at::Tensor cpu_rms_norm_gradient(const at::Tensor& of_y, const at::Tensor& x, const at::Tensor& weight,
                                 const at::Tensor& inverse);

/// silu(gate) · up, of equal shapes.
at::Tensor cpu_gated_silu(const at::Tensor& gate, const at::Tensor& up);

/// The gradients of gate and up from that of the product.
std::pair<at::Tensor, at::Tensor> cpu_gated_silu_gradient(const at::Tensor& of_y, const at::Tensor& gate,
                                                          const at::Tensor& up);

/// x [tokens, heads, head_dim] rotated by the angles of `cos` and `sin`, [tokens, 1, head_dim / 2]; back with `sign`
/// -1.
at::Tensor cpu_rotated(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int sign);

}  // namespace mdl::worker::layers
