#include <ATen/EmptyTensor.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_as_real_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>

#include "tests/device/device_memory.hpp"
#include "tests/device/held_stream.hpp"
#include "tests/device/host_call.hpp"
#include "tests/device/traffic.hpp"

/// The operators of the counting device that are not the CPU's on its memory: those that make tensors, move values
/// between it and the host, or are another view of the same memory.
namespace mdl::test::device {
namespace {

using OptionalType = std::optional<at::ScalarType>;
using OptionalLayout = std::optional<at::Layout>;
using OptionalDevice = std::optional<at::Device>;

at::Tensor empty(c10::SymIntArrayRef size, OptionalType type, OptionalLayout /*layout*/, OptionalDevice /*device*/,
                 std::optional<bool> /*pinned*/, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &device_memory(), kDeviceKeys,
                                   c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(c10::SymIntArrayRef size, c10::SymIntArrayRef stride, OptionalType type,
                         OptionalLayout /*layout*/, OptionalDevice /*device*/, std::optional<bool> /*pinned*/) {
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                           &device_memory(), kDeviceKeys, c10::dtype_or_default(type));
}

void count_copy(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  if (is_on_device(from) && is_on_device(to)) { return count_kernel(); }
  const bool to_host = is_on_device(from);
  if (non_blocking && is_pinned((to_host ? to : from).storage().data())) { return count_other_copy(); }
  if (to_host) {
    require_living_stream("a copy to the host");
    return count_wait(Wait::host_read, "a copy to the host");
  }
  count_wait(Wait::blocking_copy, non_blocking ? "a copy of unpinned memory" : "a copy");
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  count_copy(from, to, non_blocking);
  host_view(to).copy_(host_view(from));
  return to;
}

at::Scalar item(const at::Tensor& tensor) {
  require_living_stream("item");
  count_wait(Wait::host_read, "item");
  return host_view(tensor).item();
}

at::Tensor view(const at::Tensor& tensor, c10::SymIntArrayRef size) {
  return at::native::view(tensor, C10_AS_INTARRAYREF_SLOW(size));
}

at::Tensor reshape_alias(const at::Tensor& tensor, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::native::_reshape_alias(tensor, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
}

at::Tensor as_strided(const at::Tensor& tensor, c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                      std::optional<c10::SymInt> offset) {
  std::optional<int64_t> first;
  if (offset) { first = offset->expect_int(); }
  return at::native::as_strided_tensorimpl(tensor, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                           first);
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, PrivateUse1, operators) {
  operators.impl("empty.memory_format", TORCH_FN(empty));
  operators.impl("empty_strided", TORCH_FN(empty_strided));
  operators.impl("_copy_from", TORCH_FN(copy_from));
  operators.impl("_local_scalar_dense", TORCH_FN(item));
  operators.impl("view", TORCH_FN(view));
  operators.impl("as_strided", TORCH_FN(as_strided));
  operators.impl("_reshape_alias", TORCH_FN(reshape_alias));
  operators.impl("unfold", TORCH_FN(at::native::unfold));
  operators.impl("view_as_real", TORCH_FN(at::native::view_as_real));
  // One call each, as on a GPU, where torch would else take the tensors one by one.
  for (const char* const name :
       {"_foreach_norm.Scalar", "_foreach_mul_.Tensor", "_foreach_add_.Scalar", "silu_backward"}) {
    operators.impl(name, torch::CppFunction::makeFromBoxedFunction<&call_on_host>());
  }
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, operators) {
  operators.fallback(torch::CppFunction::makeFromBoxedFunction<&call_on_host>());
}

}  // namespace mdl::test::device
