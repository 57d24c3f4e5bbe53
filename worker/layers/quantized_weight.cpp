#include "worker/layers/quantized_weight.hpp"

#include <ATen/ops/linear.h>

namespace mdl::worker::layers {

at::Tensor QuantizedWeight::multiply(const at::Tensor& x, const at::Tensor& bias, bool /*training*/) const {
  const at::Tensor weight = dequantized(x.scalar_type());
  return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

}  // namespace mdl::worker::layers
