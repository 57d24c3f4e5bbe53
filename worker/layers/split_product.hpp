#pragma once

#include <ATen/core/Tensor.h>

namespace mdl::worker::layers {

// Products of a large bfloat16 matrix and a small float32 one, without a float32 copy of the large one. The small one
// is the sum of bfloat16 matrices, each the rounded rest of those before it: three hold all of its 24 bits, two
// hold 16. A product of two bfloat16 numbers is exact in float32, in which the sums are made.

/// Whether they are worth their many small kernels for products of so many rows with a layer's weight: not on the CPU,
/// which has no kernel for them, and not for few numbers.
bool takes_split_products(const at::Tensor& x, int64_t in, int64_t out);

/// x [m, k] bfloat16 · w [k, n] float32 -> float32 [m, n], as exact as a product in float32.
at::Tensor product_with_wide(const at::Tensor& x, const at::Tensor& w);

/// w [m, k] float32 · x [k, n] bfloat16 -> float32 [m, n], as exact as a product in float32.
at::Tensor product_of_wide(const at::Tensor& w, const at::Tensor& x);

/// y += factor · a·b with y [m, n] bfloat16, a [m, k] and b [k, n] float32: rounded once, with the sum. Of a·b itself
/// 16 bits are right, y keeps 8.
void add_wide_product(at::Tensor& y, const at::Tensor& a, const at::Tensor& b, double factor);

}  // namespace mdl::worker::layers
