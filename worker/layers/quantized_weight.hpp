#pragma once

#include <ATen/core/ivalue.h>

#include <functional>

namespace mdl::worker::layers {

/// A frozen weight [out, in] of a linear layer that is kept in few bits. Immutable.
class QuantizedWeight : public torch::CustomClassHolder {
 public:
  /// The weight as numbers of `dtype`, made anew at each call.
  virtual at::Tensor dequantized(at::ScalarType dtype) const = 0;

  /// x [rows, in] -> x·Wᵀ + bias [rows, out] in the type of x. `bias` may be undefined. Without a graph: what a caller
  /// differentiates is the product with dequantized().
  virtual at::Tensor multiply(const at::Tensor& x, const at::Tensor& bias, bool training) const;

  virtual at::Device device() const = 0;
  virtual int64_t bytes() const = 0;  ///< of memory
};

/// Makes one on `device` of a floating-point weight.
using Quantize = std::function<c10::intrusive_ptr<QuantizedWeight>(const at::Tensor& weight, at::Device device)>;

}  // namespace mdl::worker::layers
