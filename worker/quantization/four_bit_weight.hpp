#pragma once

#include "worker/layers/quantized_weight.hpp"

namespace mdl::worker::quantization {

enum class FourBitType { fp4, nf4 };

/// A weight in 4 bits a number, as bitsandbytes' Linear4bit keeps it: the numbers, row after row, in blocks of 64, each
/// divided by its largest magnitude and rounded to the nearest of 16 values. Sources: the QLoRA paper (arXiv
/// 2305.14314) and the package, whose codes, scales and numbers these are.
class FourBitWeight : public layers::QuantizedWeight {
 public:
  /// `weight` [out, in], float32 or bfloat16, on the device where the result is to be. `doubly`: the blocks' scales are
  /// kept in 8 bits too, in blocks of 256, after their mean was taken off.
  static c10::intrusive_ptr<FourBitWeight> quantize(const at::Tensor& weight, FourBitType type, bool doubly);

  at::Tensor dequantized(at::ScalarType dtype) const override;
  at::Device device() const override { return codes_.device(); }
  int64_t bytes() const override;

  const at::Tensor& codes() const { return codes_; }
  at::Tensor scales() const;  ///< float32, one for each block

 private:
  int64_t rows_ = 0, columns_ = 0;
  FourBitType type_ = FourBitType::fp4;
  at::Tensor codes_;         ///< uint8 [(out · in + 1) / 2], the first of two numbers in the high bits
  at::Tensor scales_;        ///< float32 [blocks], or uint8 when doubly quantized; then
  at::Tensor scale_scales_;  ///< float32, one for 256 blocks
  at::Tensor scale_offset_;  ///< float32, a number: the mean of the scales
};

/// The 256 values of bitsandbytes' 8-bit "dynamic" type (arXiv 1511.04561), in order: float32. Made once for each
/// device; shared, so not to be written to.
at::Tensor dynamic_type_values(at::Device device);

}  // namespace mdl::worker::quantization
