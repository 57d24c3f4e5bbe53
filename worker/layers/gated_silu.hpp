#pragma once

#include <ATen/core/Tensor.h>

namespace mdl::worker::layers {

/// silu(gate) · up. For the backward pass only the two are kept: silu(gate) is computed again, which is cheap beside
/// the memory of one more tensor as large as they are.
at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace mdl::worker::layers
