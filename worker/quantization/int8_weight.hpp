#pragma once

#include "worker/layers/quantized_weight.hpp"

namespace mdl::worker::quantization {

/// A weight in 8 bits a number, each row divided by its largest magnitude / 127: the LLM.int8 method (arXiv 2208.07339)
/// as bitsandbytes' Linear8bitLt has it, with its constants. The package has no function of its own for this on the
/// CPU; here PyTorch's integer product serves on both kinds of device.
class Int8Weight : public layers::QuantizedWeight {
 public:
  /// `weight` [out, in] on the device where the result is to be; it is rounded to float16 first.
  static c10::intrusive_ptr<Int8Weight> quantize(const at::Tensor& weight);

  at::Tensor dequantized(at::ScalarType dtype) const override;

  /// In training on the CPU: the product with the dequantized weight, as the package does there. Else the input's rows
  /// are quantized too and multiplied as integers, but for columns with a magnitude of 6 or more, which are multiplied
  /// as floating-point numbers.
  at::Tensor multiply(const at::Tensor& x, const at::Tensor& bias, bool training) const override;

  at::Device device() const override { return codes_.device(); }
  int64_t bytes() const override { return static_cast<int64_t>(codes_.nbytes() + scales_.nbytes()); }

  const at::Tensor& codes() const { return codes_; }    ///< int8 [out, in]
  const at::Tensor& scales() const { return scales_; }  ///< float32 [out], the largest magnitudes

 private:
  at::Tensor codes_, scales_;
};

}  // namespace mdl::worker::quantization
