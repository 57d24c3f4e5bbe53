#include "worker/quantization/int8_weight.hpp"

#include <torch/torch.h>

#include <ATen/Version.h>

namespace mdl::worker::quantization {
namespace {

constexpr double kOutlier = 6.0;
constexpr double kReciprocal127 = 7.874015718698502e-3;  ///< the package's 1 / 127
constexpr double kReciprocal127Squared = 6.200124e-05;   ///< and its 1 / 127²

struct Quantized {
  at::Tensor codes;   ///< int8
  at::Tensor scales;  ///< float32, each row's largest magnitude
};

Quantized quantize_rows(const at::Tensor& half) {
  const at::Tensor scales = std::get<0>(half.abs().max(1)).to(at::kFloat);
  // A row of zeros has scale 0 and codes 0, not 0 / 0.
  const at::Tensor factors = (scales.reciprocal() * 127.0).masked_fill_(scales == 0, 0);
  return {(half * factors.unsqueeze(1)).round_().to(at::kChar), scales};
}

/// a [m, k] · bᵀ with b [n, k], both int8: int32 [m, n].
at::Tensor integer_product(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cuda()) {
    // cuBLAS takes sizes in steps of 8 and more than 16 rows.
    if (b.size(0) % 8 != 0 || b.size(1) % 8 != 0) {
      return at::matmul(a.to(at::kFloat), b.to(at::kFloat).t()).to(at::kInt);
    }
    const int64_t missing = std::max<int64_t>(24, (a.size(0) + 7) / 8 * 8) - a.size(0);
    const at::Tensor padded = missing > 0 ? at::constant_pad_nd(a, {0, 0, 0, missing}) : a;
    return at::_int_mm(padded, b.t()).narrow(0, 0, a.size(0));
  }
  // Without AVX-512 the CPU's integer product is a plain loop, many times slower than the floating-point one.
  static const bool fast = at::get_cpu_capability() == "AVX512";
  if (fast) { return at::_int_mm(a, b.t()); }
  return at::matmul(a.to(at::kFloat), b.to(at::kFloat).t()).to(at::kInt);
}

}  // namespace

c10::intrusive_ptr<Int8Weight> Int8Weight::quantize(const at::Tensor& weight) {
  auto made = c10::make_intrusive<Int8Weight>();
  const Quantized rows = quantize_rows(weight.to(at::kHalf));
  made->codes_ = rows.codes;
  made->scales_ = rows.scales;
  return made;
}

at::Tensor Int8Weight::dequantized(at::ScalarType dtype) const {
  return codes_.to(dtype).mul_(scales_.unsqueeze(1) * (1.0 / 127.0));
}

at::Tensor Int8Weight::multiply(const at::Tensor& x, const at::Tensor& bias, bool training) const {
  if (training && x.is_cpu()) { return layers::QuantizedWeight::multiply(x, bias, training); }
  const at::Tensor half = x.to(at::kHalf);
  const at::Tensor outliers = half.abs() >= kOutlier;
  const at::Tensor columns = outliers.any(0).nonzero().squeeze(1);
  const bool mixed = columns.numel() > 0;
  Quantized rows = quantize_rows(mixed ? half.masked_fill(outliers, 0) : half);
  if (mixed) { rows.codes.index_fill_(1, columns, 0); }

  at::Tensor y =
      integer_product(rows.codes, codes_) * (rows.scales.unsqueeze(1) * scales_.unsqueeze(0)) * kReciprocal127Squared;
  if (bias.defined()) { y += bias; }
  y = y.to(x.scalar_type());
  if (mixed) {
    const at::Tensor weight = codes_.index_select(1, columns) * scales_.unsqueeze(1) * kReciprocal127;
    y = y.addmm(x.index_select(1, columns), weight.to(x.scalar_type()).t());
  }
  return y;
}

}  // namespace mdl::worker::quantization
