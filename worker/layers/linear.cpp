#include "worker/layers/linear.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "common/error.hpp"
#include "worker/layers/split_product.hpp"

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Products of an adapter's float32 matrices and a layer's inputs or outputs, [rows, in] or [rows, out] in the type of
/// the layer.
struct AdapterProducts {
  bool split;  ///< see split_product.hpp

  /// x·w and w·x: float32.
  at::Tensor with_wide(const at::Tensor& x, const at::Tensor& w) const {
    return split ? product_with_wide(x, w) : at::mm(x.to(w.scalar_type()), w);
  }
  at::Tensor of_wide(const at::Tensor& w, const at::Tensor& x) const {
    return split ? product_of_wide(w, x) : at::mm(w, x.to(w.scalar_type()));
  }

  /// y += factor · a·b, in y's type; the product is rounded only with the sum.
  void add(at::Tensor& y, const at::Tensor& a, const at::Tensor& b, double factor) const {
    if (split) { return add_wide_product(y, a, b, factor); }
    if (y.scalar_type() == a.scalar_type()) {
      y.addmm_(a, b, 1, factor);
    } else {
      y.add_(at::mm(a, b), factor);
    }
  }
};

/// Rows that several threads of a CPU share out better as columns: the weight's rows are many, and x's few.
constexpr int64_t kFewestTurned = 12, kMostTurned = 48;

/// Not in training, where a checkpointed layer must compute the same with gradients and without.
bool takes_turned_product(const at::Tensor& x, bool training) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && !training && !at::GradMode::is_enabled() &&
         x.size(0) >= kFewestTurned && x.size(0) <= kMostTurned && at::get_num_threads() > 1;
}

/// x·weightᵀ + bias as (weight·xᵀ + bias)ᵀ: the result's columns lie in memory one behind the other.
at::Tensor turned_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return (bias.defined() ? at::addmm(bias.unsqueeze(1), weight, x.t()) : at::mm(weight, x.t())).t();
}

/// What gets no gradient; no argument of its own to autograd.
struct FrozenLinear {
  at::Tensor weight;
  at::Tensor bias;                                ///< or undefined
  c10::intrusive_ptr<QuantizedWeight> quantized;  ///< or null; then the weight is not there
  bool training;
  bool turned;  ///< the product is made as turned_product() does

  at::Tensor forward(const at::Tensor& x) const {
    if (quantized) { return quantized->multiply(x, bias, training); }
    if (turned) { return turned_product(x, weight, bias); }
    return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
  }

  /// For the backward pass: the weight itself, or what it can be had from again.
  void save(AutogradContext* context, tensor_list tensors) const {
    tensors.push_back(weight);
    context->save_for_backward(std::move(tensors));
    if (quantized) { context->saved_data["quantized"] = at::IValue::make_capsule(quantized); }
  }

  static at::Tensor saved_weight(AutogradContext* context, const at::Tensor& weight, at::ScalarType dtype) {
    const auto found = context->saved_data.find("quantized");
    if (found == context->saved_data.end()) { return weight; }
    return static_cast<const QuantizedWeight&>(*found->second.toCapsule()).dequantized(dtype);
  }
};

/// A quantized layer without an adapter: the weight is dequantized again in the backward pass, not kept.
struct QuantizedLinear : torch::autograd::Function<QuantizedLinear> {
  static at::Tensor forward(AutogradContext* context, const FrozenLinear& base, const at::Tensor& x) {
    base.save(context, {});
    return base.forward(x);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& grad = grads[0];
    return {at::Tensor(), at::mm(grad, FrozenLinear::saved_weight(context, saved[0], grad.scalar_type()))};
  }
};

/// A frozen linear layer with its adapter as one node of the graph. Beside what autograd would make of the same
/// formula, it adds both halves of the output and of the input's gradient in place, and keeps x in its own type instead
/// of a float32 copy. With dropout x is kept with a mask of bytes; what is left of it is scaled behind the product, so
/// that it is not rounded.
struct AdaptedLinear : torch::autograd::Function<AdaptedLinear> {
  static at::Tensor forward(AutogradContext* context, const FrozenLinear& base, const at::Tensor& x,
                            const at::Tensor& a, const at::Tensor& b, double scaling, double dropout) {
    at::Tensor y = base.forward(x), mask;
    if (dropout > 0) { mask = at::empty(x.sizes(), x.options().dtype(at::kBool)).bernoulli_(1 - dropout); }
    const AdapterProducts products{takes_split_products(x, a.size(1), b.size(0))};
    at::Tensor low = products.with_wide(masked(x, mask), a.t());  // [rows, rank]
    if (mask.defined()) { low.div_(1 - dropout); }
    products.add(y, low, b.t(), scaling);
    base.save(context, {x, a, b, low, mask});
    context->saved_data["scaling"] = scaling;
    context->saved_data["kept"] = 1 - dropout;
    return y;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &a = saved[1], &b = saved[2], &low = saved[3], &mask = saved[4];
    const double scaling = context->saved_data["scaling"].toDouble(), kept = context->saved_data["kept"].toDouble();
    const at::Tensor& grad = grads[0];
    const AdapterProducts products{takes_split_products(x, a.size(1), b.size(0))};
    // Where products need a float32 gradient, one copy serves both.
    const at::Tensor shared_grad = products.split ? grad : grad.to(a.scalar_type());
    const at::Tensor grad_low = products.with_wide(shared_grad, b).mul_(scaling / kept);
    at::Tensor grad_x;
    if (x.requires_grad()) {
      grad_x = at::mm(grad, FrozenLinear::saved_weight(context, saved[5], grad.scalar_type()));
      if (mask.defined()) {
        at::Tensor through_adapter = at::zeros_like(grad_x);
        products.add(through_adapter, grad_low, a, 1);
        grad_x.add_(through_adapter.mul_(mask));
      } else {
        products.add(grad_x, grad_low, a, 1);
      }
    }
    const at::Tensor grad_a = products.of_wide(grad_low.t(), masked(x, mask));
    const at::Tensor grad_b = products.with_wide(shared_grad.t(), low).mul_(scaling);
    return {at::Tensor(), grad_x, grad_a, grad_b, at::Tensor(), at::Tensor()};
  }

 private:
  static at::Tensor masked(const at::Tensor& x, const at::Tensor& mask) { return mask.defined() ? x * mask : x; }
};

}  // namespace

Linear::Linear(int64_t in, int64_t out, bool with_bias, at::ScalarType dtype) {
  declare_parameter(weight, "weight", {out, in}, dtype);
  if (with_bias) { declare_parameter(bias, "bias", {out}, dtype); }
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  const FrozenLinear base{weight, bias, quantized, is_training(), takes_turned_product(x, is_training())};
  const double dropout = adapter && is_training() ? adapter->dropout : 0;
  if (adapter && (dropout == 0 || takes_split_products(x, in_features(), out_features()))) {
    return AdaptedLinear::apply(base, x, adapter->a, adapter->b, adapter->scaling, dropout);
  }
  at::Tensor y = quantized ? QuantizedLinear::apply(base, x) : base.forward(x);
  if (!adapter) { return y; }
  const at::Tensor dropped = at::dropout(x.to(adapter->a.scalar_type()), dropout, /*train=*/true);
  const at::Tensor delta = at::linear(at::linear(dropped, adapter->a), adapter->b);
  return (y + delta * adapter->scaling).to(y.scalar_type());
}

void Linear::collect_trained(std::vector<at::Tensor>& into) const {
  if (!adapter) { return; }
  into.push_back(adapter->a);
  into.push_back(adapter->b);
}

void Linear::quantize(c10::intrusive_ptr<QuantizedWeight> value) {
  quantized = std::move(value);
  weight = at::empty(weight.sizes(), weight.options().device(at::kMeta));
}

void Linear::merge() {
  if (!adapter) { return; }
  if (quantized) { throw Error("an adapter cannot be merged into a quantized layer"); }
  const at::NoGradGuard no_grad;
  at::Tensor delta = at::mm(adapter->b, adapter->a);
  weight.add_(delta.mul_(adapter->scaling));
  adapter.reset();
}

}  // namespace mdl::worker::layers
