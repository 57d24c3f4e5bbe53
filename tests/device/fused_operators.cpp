#include <ATen/ops/mm.h>
#include <ATen/ops/rsqrt.h>
#include <torch/library.h>
#include <torch/version.h>

#include <array>
#include <optional>
#include <tuple>

#include "tests/device/host_call.hpp"
#include "tests/device/traffic.hpp"

/// Operators that a GPU has and the CPU lacks, or takes apart: one kernel each.
namespace mdl::test::device {
namespace {

using at::Tensor;

/// The product of two matrices of half precision, summed and given in float32.
Tensor product_in_type(const Tensor& a, const Tensor& b, at::ScalarType dtype) {
  count_kernel();
  TORCH_CHECK(is_on_device(a) && is_on_device(b), "mm: mixed devices");
  TORCH_CHECK(a.scalar_type() == b.scalar_type() && dtype == at::kFloat, "mm: no kernel for these types");
  return device_copy(at::mm(host_view(a).to(dtype), host_view(b).to(dtype)));
}

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9

/// Computed in float32, rounded once.
std::tuple<Tensor, Tensor> rms_norm(const Tensor& x, at::IntArrayRef shape, const std::optional<Tensor>& weight,
                                    std::optional<double> eps) {
  count_kernel();
  TORCH_CHECK(is_on_device(x) && shape.size() == 1 && shape[0] == x.size(-1) && eps,
              "rms_norm: not as it is used here");
  const Tensor wide = host_view(x).to(at::kFloat);
  const Tensor inverse = at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + *eps);
  Tensor y = wide * inverse;
  if (weight && weight->defined()) {
    TORCH_CHECK(is_on_device(*weight) && weight->scalar_type() == x.scalar_type(), "rms_norm: types differ");
    y *= host_view(*weight);
  }
  return {device_copy(y.to(x.scalar_type())), device_copy(inverse)};
}

std::tuple<Tensor, Tensor> rms_norm_backward(const Tensor& gradient, const Tensor& x, at::IntArrayRef /*shape*/,
                                             const Tensor& inverse, const std::optional<Tensor>& weight,
                                             std::array<bool, 2> wanted) {
  count_kernel();
  TORCH_CHECK(is_on_device(gradient) && is_on_device(x) && is_on_device(inverse), "rms_norm: mixed devices");
  TORCH_CHECK(wanted[0] && !wanted[1] && weight && weight->scalar_type() == x.scalar_type(),
              "rms_norm: the weight gets no gradient here");
  const Tensor wide = host_view(x).to(at::kFloat), root = host_view(inverse);
  const Tensor grad = host_view(gradient).to(at::kFloat) * host_view(*weight).to(at::kFloat);
  const Tensor of_x = grad * root - wide * root.pow(3) * (grad * wide).mean(-1, /*keepdim=*/true);
  return {device_copy(of_x.to(x.scalar_type())), Tensor()};
}

#endif

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, operators) {
  operators.impl("mm.dtype", TORCH_FN(product_in_type));
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
  operators.impl("_fused_rms_norm", TORCH_FN(rms_norm));
  operators.impl("_fused_rms_norm_backward", TORCH_FN(rms_norm_backward));
#endif
}

}  // namespace mdl::test::device
