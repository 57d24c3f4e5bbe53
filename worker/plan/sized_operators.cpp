#include "worker/plan/sized_operators.hpp"

#include <ATen/EmptyTensor.h>
#include <ATen/ExpandUtils.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/result_type.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_as_real_native.h>
#include <ATen/ops/view_native.h>
#include <torch/library.h>
#include <torch/version.h>

#include <array>
#include <tuple>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/plan/sized_attention.hpp"
#include "worker/plan/sized_device.hpp"

namespace mdl::worker::plan {
namespace {

using at::Tensor;

constexpr c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

bool is_sized(const Tensor& x) {
  return x.defined() && x.device().type() == c10::DeviceType::PrivateUse1;
}

Tensor sized_like(const Tensor& meta) {
  return at::detail::empty_strided_generic(meta.sizes(), meta.strides(), sized_allocator(), kKeys, meta.scalar_type());
}

// What every backend must have: memory, views, copies, single numbers.

Tensor empty_memory_format(c10::SymIntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                           std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), sized_allocator(), kKeys,
                                   c10::dtype_or_default(dtype), format);
}

Tensor empty_strided(c10::SymIntArrayRef size, c10::SymIntArrayRef stride, std::optional<at::ScalarType> dtype,
                     std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                           sized_allocator(), kKeys, c10::dtype_or_default(dtype));
}

Tensor copy_from(const Tensor& /*from*/, const Tensor& to, bool /*non_blocking*/) {
  return to;
}

at::Scalar local_scalar(const Tensor& x) {
  return x.scalar_type() == at::kBool ? at::Scalar(true) : at::Scalar(1);
}

Tensor view(const Tensor& x, c10::SymIntArrayRef size) {
  return at::native::view(x, C10_AS_INTARRAYREF_SLOW(size));
}

Tensor as_strided(const Tensor& x, c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                  std::optional<c10::SymInt> offset) {
  return at::native::as_strided_tensorimpl(x, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
                                           offset ? std::optional(offset->expect_int()) : std::nullopt);
}

Tensor reshape_alias(const Tensor& x, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::native::_reshape_alias(x, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
}

// Operators that LibTorch has no meta kernel of.

Tensor mm_dtype(const Tensor& a, const Tensor& b, at::ScalarType dtype) {
  return at::empty({a.size(0), b.size(1)}, a.options().dtype(dtype));
}

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
std::tuple<Tensor, Tensor> fused_rms_norm(const Tensor& x, at::IntArrayRef, const std::optional<Tensor>&,
                                          std::optional<double>) {
  auto rows = x.sizes().vec();
  rows.back() = 1;
  return {at::empty_like(x), at::empty(rows, x.options().dtype(at::kFloat))};
}

std::tuple<Tensor, Tensor> fused_rms_norm_backward(const Tensor& /*grad*/, const Tensor& x, at::IntArrayRef,
                                                   const Tensor& /*inverse*/, const std::optional<Tensor>& weight,
                                                   std::array<bool, 2> wanted) {
  return {at::empty_like(x), wanted[1] ? at::empty_like(*weight) : Tensor()};
}
#endif

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  auto sizes = x.sizes().vec();
  sizes.at(static_cast<size_t>(c10::maybe_wrap_dim(dim, x.dim()))) = index.numel();
  return at::empty(sizes, x.options());
}

Tensor embedding_dense_backward(const Tensor& grad, const Tensor& /*indices*/, c10::SymInt rows,
                                c10::SymInt /*padding*/, bool /*scaled*/) {
  return at::empty({rows.expect_int(), grad.size(-1)}, grad.options());
}

std::tuple<Tensor, Tensor> native_dropout(const Tensor& x, double /*p*/, std::optional<bool> /*train*/) {
  return {at::empty_like(x), at::empty_like(x, x.options().dtype(at::kBool))};
}

Tensor native_dropout_backward(const Tensor& grad, const Tensor& /*mask*/, double /*scale*/) {
  return at::empty_like(grad);
}

using ThreeTensors = std::tuple<Tensor, Tensor, Tensor>;

ThreeTensors native_batch_norm(const Tensor& x, const std::optional<Tensor>&, const std::optional<Tensor>&,
                               const std::optional<Tensor>&, const std::optional<Tensor>&, bool training, double,
                               double) {
  const int64_t channels = training ? x.size(1) : 0;
  const auto wide = x.options().dtype(at::kFloat);
  return {at::empty_like(x), at::empty({channels}, wide), at::empty({channels}, wide)};
}

ThreeTensors native_batch_norm_backward(const Tensor& grad, const Tensor& x, const std::optional<Tensor>& weight,
                                        const std::optional<Tensor>&, const std::optional<Tensor>&,
                                        const std::optional<Tensor>&, const std::optional<Tensor>&, bool, double,
                                        std::array<bool, 3> wanted) {
  const auto of_weight = [&](bool want) { return want ? at::empty_like(*weight) : Tensor(); };
  static_cast<void>(grad);
  return {wanted[0] ? at::empty_like(x) : Tensor(), of_weight(wanted[1]), of_weight(wanted[2])};
}

ThreeTensors native_layer_norm_backward(const Tensor& /*grad*/, const Tensor& x, c10::SymIntArrayRef, const Tensor&,
                                        const Tensor&, const std::optional<Tensor>& weight,
                                        const std::optional<Tensor>& bias, std::array<bool, 3> wanted) {
  return {wanted[0] ? at::empty_like(x) : Tensor(), wanted[1] ? at::empty_like(*weight) : Tensor(),
          wanted[2] ? at::empty_like(*bias) : Tensor()};
}

Tensor fft_r2c(const Tensor& x, at::IntArrayRef dims, int64_t /*normalization*/, bool onesided) {
  auto sizes = x.sizes().vec();
  auto& last = sizes.at(static_cast<size_t>(dims.back()));
  if (onesided) { last = last / 2 + 1; }
  return at::empty(sizes, x.options().dtype(c10::toComplexType(x.scalar_type())));
}

/// Which LibTorch takes apart where it knows no kernel.
Tensor silu_backward(const Tensor& grad, const Tensor& /*x*/) {
  return at::empty_like(grad);
}

Tensor absolute(const Tensor& x) {
  return at::empty_like(x, x.options().dtype(c10::toRealValueType(x.scalar_type())));
}

std::vector<int64_t> joint_size(const Tensor& x, const Tensor& y, const Tensor& z) {
  return at::infer_size(at::infer_size(x.sizes(), y.sizes()), z.sizes());
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& other) {
  return at::empty(joint_size(condition, x, other), condition.options().dtype(at::result_type(x, other)));
}

Tensor& where_out(const Tensor& condition, const Tensor& x, const Tensor& other, Tensor& out) {
  const auto size = joint_size(condition, x, other);
  if (out.sizes() != at::IntArrayRef(size)) { out.resize_(size); }
  return out;
}

/// No row of 8-bit weights' inputs holds an outlier.
Tensor nonzero(const Tensor& x) {
  return at::empty({0, x.dim()}, x.options().dtype(at::kLong));
}

Tensor int_mm(const Tensor& a, const Tensor& b) {
  return at::empty({a.size(0), b.size(1)}, a.options().dtype(at::kInt));
}

// All others.

/// One call of an operator: its arguments become meta tensors, its results tensors of the device.
class MetaCall {
 public:
  MetaCall(const c10::OperatorHandle& op, torch::jit::Stack& stack)
      : op_(op), schema_(op.schema()), stack_(stack), first_(stack.size() - schema_.arguments().size()) {
    given_.assign(stack.begin() + static_cast<std::ptrdiff_t>(first_), stack.end());
  }

  void run() {
    if (!op_.hasKernelForDispatchKey(c10::DispatchKey::Meta)) {
      throw Error(str_cat("the plan of a step: nothing tells the shape of ", c10::toString(schema_.operator_name())),
                  "This is a defect.");
    }
    for (size_t i = 0; i < given_.size(); ++i) { stack_[first_ + i] = as_meta(given_[i], i); }
    const std::vector<at::IValue> called(stack_.begin() + static_cast<std::ptrdiff_t>(first_), stack_.end());
    {
      const c10::impl::ExcludeDispatchKeyGuard no_graph(c10::autograd_dispatch_keyset);
      op_.redispatchBoxed(c10::DispatchKeySet(c10::DispatchKey::Meta), &stack_);
    }
    for (size_t i = 0; i < given_.size(); ++i) { grow(given_[i], called[i]); }
    const auto& returns = schema_.returns();
    const size_t first_result = stack_.size() - returns.size();
    for (size_t i = 0; i < returns.size(); ++i) {
      at::IValue& result = stack_[first_result + i];
      result = returns[i].alias_info() ? argument_of(*returns[i].alias_info()) : as_sized(result);
    }
  }

 private:
  Tensor as_meta(const Tensor& x, size_t argument) const {
    if (!x.defined()) { return x; }
    if (!is_sized(x) && x.dim() > 0) {
      throw Error(str_cat("tensors of several devices in ", schema_.name(), ": ", schema_.arguments()[argument].name(),
                          " lies on ", x.device().str()),
                  "This is a defect.");
    }
    return at::empty_strided(x.sizes(), x.strides(), x.options().device(at::kMeta).requires_grad(false));
  }

  at::IValue as_meta(const at::IValue& value, size_t argument) const {
    if (value.isTensor()) { return as_meta(value.toTensor(), argument); }
    if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& x : value.toTensorVector()) { list.push_back(as_meta(x, argument)); }
      return list;
    }
    if (value.isOptionalTensorList()) {
      c10::List<std::optional<Tensor>> list;
      for (const std::optional<Tensor>& x : value.toOptionalTensorVector()) {
        list.push_back(x ? std::optional(as_meta(*x, argument)) : std::nullopt);
      }
      return list;
    }
    return value.isDevice() ? at::IValue(c10::Device(at::kMeta)) : value;
  }

  /// A result that an operator was given as an empty tensor has its size now.
  static void grow(const at::IValue& given, const at::IValue& called) {
    if (!given.isTensor() || !is_sized(given.toTensor())) { return; }
    const Tensor &x = given.toTensor(), &meta = called.toTensor();
    if (x.sizes() == meta.sizes()) { return; }
    x.unsafeGetTensorImpl()->set_storage_keep_dtype(sized_like(meta).storage());
    x.unsafeGetTensorImpl()->set_sizes_and_strides(meta.sizes(), meta.strides());
  }

  /// The argument that a result is.
  at::IValue argument_of(const c10::AliasInfo& alias) const {
    for (size_t i = 0; i < given_.size(); ++i) {
      const auto* const own = schema_.arguments()[i].alias_info();
      if (alias.isWrite() && own && own->beforeSets() == alias.beforeSets()) { return given_[i]; }
    }
    throw Error(str_cat("the plan of a step: nothing makes the view ", c10::toString(schema_.operator_name())),
                "This is a defect.");
  }

  static at::IValue as_sized(const at::IValue& value) {
    if (value.isTensor()) { return value.toTensor().defined() ? sized_like(value.toTensor()) : value.toTensor(); }
    if (value.isTensorList()) {
      c10::List<Tensor> list;
      for (const Tensor& x : value.toTensorVector()) { list.push_back(sized_like(x)); }
      return list;
    }
    return value;
  }

  const c10::OperatorHandle& op_;
  const c10::FunctionSchema& schema_;
  torch::jit::Stack& stack_;
  size_t first_;
  std::vector<at::IValue> given_;
};

void fallback(const c10::OperatorHandle& op, c10::DispatchKeySet /*keys*/, torch::jit::Stack* stack) {
  MetaCall(op, *stack).run();
}

}  // namespace

void register_operators() {
  static torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  aten.impl("empty.memory_format", TORCH_FN(empty_memory_format));
  aten.impl("empty_strided", TORCH_FN(empty_strided));
  aten.impl("_copy_from", TORCH_FN(copy_from));
  aten.impl("_local_scalar_dense", TORCH_FN(local_scalar));
  aten.impl("view", TORCH_FN(view));
  aten.impl("as_strided", TORCH_FN(as_strided));
  aten.impl("_reshape_alias", TORCH_FN(reshape_alias));
  aten.impl("unfold", TORCH_FN(at::native::unfold));
  aten.impl("view_as_real", TORCH_FN(at::native::view_as_real));
  aten.impl("mm.dtype", TORCH_FN(mm_dtype));
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9
  aten.impl("_fused_rms_norm", TORCH_FN(fused_rms_norm));
  aten.impl("_fused_rms_norm_backward", TORCH_FN(fused_rms_norm_backward));
#endif
  aten.impl("index_select", TORCH_FN(index_select));
  aten.impl("embedding_dense_backward", TORCH_FN(embedding_dense_backward));
  aten.impl("native_dropout", TORCH_FN(native_dropout));
  aten.impl("native_dropout_backward", TORCH_FN(native_dropout_backward));
  aten.impl("native_batch_norm", TORCH_FN(native_batch_norm));
  aten.impl("native_batch_norm_backward", TORCH_FN(native_batch_norm_backward));
  aten.impl("native_layer_norm_backward", TORCH_FN(native_layer_norm_backward));
  aten.impl("_fft_r2c", TORCH_FN(fft_r2c));
  aten.impl("silu_backward", TORCH_FN(silu_backward));
  aten.impl("abs", TORCH_FN(absolute));
  aten.impl("where.self", TORCH_FN(where));
  aten.impl("where.self_out", TORCH_FN(where_out));
  aten.impl("nonzero", TORCH_FN(nonzero));
  aten.impl("_int_mm", TORCH_FN(int_mm));
  register_attention(aten);

  static torch::Library all(torch::Library::IMPL, "_", c10::DispatchKey::PrivateUse1, __FILE__, __LINE__);
  all.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>());
}

}  // namespace mdl::worker::plan
