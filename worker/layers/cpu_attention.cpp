#include "worker/layers/cpu_attention.hpp"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "worker/kernels/kernel_choice.hpp"
#include "worker/layers/cpu_product.hpp"
#include "worker/layers/cpu_threads.hpp"

namespace mdl::worker::layers {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr int64_t kLongest = 256;

/// [rows, heads, dim] in memory; the numbers of a head lie beside each other.
template <typename Number>
struct Heads {
  Number* data;
  int64_t row, head;

  explicit Heads(const at::Tensor& x)
      : data(const_cast<Number*>(x.const_data_ptr<float>())), row(x.stride(0)), head(x.stride(1)) {}

  /// From one row of a head on.
  auto from(int64_t first_row, int64_t of_head) const {
    using Matrix = std::conditional_t<std::is_const_v<Number>, CpuRows, CpuMatrix>;
    return Matrix{data + first_row * row + of_head * head, row};
  }
};
using Inputs = Heads<const float>;
using Outputs = Heads<float>;

/// A sequence among the packed rows.
struct Sequence {
  int64_t row, queries, keys;
  int64_t scores;  ///< of one head, in all sequences before
};

struct AttentionPlan : torch::CustomClassHolder {
  std::vector<Sequence> sequences;
  int64_t rows = 0, scores = 0, most_scores = 0;
  int64_t heads = 0, kv_heads = 0, dim = 0;
  bool causal = false;

  int64_t heads_a_key() const { return heads / kv_heads; }
  float scale() const { return static_cast<float>(1 / std::sqrt(static_cast<double>(dim))); }
};

using PlanPointer = c10::intrusive_ptr<AttentionPlan>;

PlanPointer plan_attention(const at::Tensor& query, const at::Tensor& key, const PackedSequences& packed, bool causal) {
  auto plan = c10::make_intrusive<AttentionPlan>();
  for (const auto& group : packed.groups) {
    for (int64_t i = 0; i < group.count; ++i) {
      plan->sequences.push_back({plan->rows, group.queries, group.keys, plan->scores});
      plan->rows += group.queries;
      plan->scores += group.queries * group.keys;
      plan->most_scores = std::max(plan->most_scores, group.queries * group.keys);
    }
  }
  TORCH_INTERNAL_ASSERT(plan->rows == query.size(0));
  plan->heads = query.size(1);
  plan->kv_heads = key.size(1);
  plan->dim = query.size(2);
  plan->causal = causal;
  return plan;
}

std::unique_ptr<float[]> scratch_of(int64_t numbers) {
  return std::make_unique_for_overwrite<float[]>(static_cast<size_t>(numbers));
}

/// Calls work(sequence, head, scratch) for all of them, on several threads. Neighbours in the order are sequences of
/// one head, so that long ones are shared out.
template <typename Work>
void spread_heads(const AttentionPlan& plan, int64_t heads, const Work& work) {
  const auto count = std::ssize(plan.sequences);
  spread_on_threads(count * heads, 1, [&](int64_t begin, int64_t end) {
    const auto scratch = scratch_of(plan.most_scores);
    for (int64_t i = begin; i < end; ++i) {
      work(plan.sequences[static_cast<size_t>(i % count)], i / count, scratch.get());
    }
  });
}

/// Result [rows, heads, dim]. `kept`: where the probabilities stay, or null.
void attend(const AttentionPlan& plan, const Inputs& query, const Inputs& key, const Inputs& value,
            const Outputs& result, float* kept) {
  const auto* const kernels = kernels::chosen_kernels();
  spread_heads(plan, plan.heads, [&](const Sequence& of, int64_t head, float* scratch) {
    const int64_t kv_head = head / plan.heads_a_key(), scores = of.queries * of.keys;
    const CpuMatrix p{kept ? kept + of.scores * plan.heads + head * scores : scratch, of.keys};
    cpu_product_of_rows(p, query.from(of.row, head), key.from(of.row, kv_head), of.queries, of.keys, plan.dim,
                        plan.scale());
    kernels->softmax(p.data, of.queries, of.keys, plan.causal);
    cpu_product(result.from(of.row, head), p, value.from(of.row, kv_head), of.queries, plan.dim, of.keys, 1);
  });
}

/// The gradients of query, key and value.
struct Gradients {
  Outputs query, key, value;
};

/// Rows that nobody may look at.
void clear_hidden(const Sequence& of, const CpuMatrix& matrix, int64_t dim) {
  for (int64_t row = of.keys; row < of.queries; ++row) { std::fill_n(matrix.data + row * matrix.row, dim, 0.0F); }
}

void attend_backward(const AttentionPlan& plan, const Inputs& query, const Inputs& key, const Inputs& value,
                     const Inputs& of_result, const float* kept, const Gradients& gradients) {
  const auto* const kernels = kernels::chosen_kernels();
  spread_heads(plan, plan.kv_heads, [&](const Sequence& of, int64_t kv_head, float* scratch) {
    const int64_t scores = of.queries * of.keys, dim = plan.dim;
    const CpuMatrix of_key = gradients.key.from(of.row, kv_head), of_value = gradients.value.from(of.row, kv_head);
    const CpuMatrix d{scratch, of.keys};
    for (int64_t i = 0; i < plan.heads_a_key(); ++i) {
      const int64_t head = kv_head * plan.heads_a_key() + i;
      const CpuRows p{kept + of.scores * plan.heads + head * scores, of.keys}, g = of_result.from(of.row, head);
      cpu_product_of_columns(of_value, p, g, of.keys, dim, of.queries, 1, /*add=*/i > 0);
      cpu_product_of_rows(d, g, value.from(of.row, kv_head), of.queries, of.keys, dim, 1);
      kernels->softmax_gradient(p.data, d.data, of.queries, of.keys);
      cpu_product(gradients.query.from(of.row, head), d, key.from(of.row, kv_head), of.queries, dim, of.keys,
                  plan.scale());
      cpu_product_of_columns(of_key, d, query.from(of.row, head), of.keys, dim, of.queries, plan.scale(),
                             /*add=*/i > 0);
    }
    clear_hidden(of, of_key, dim);
    clear_hidden(of, of_value, dim);
  });
}

/// What both functions below do with views of their inputs. `inputs` are kept, and the probabilities where they will be
/// asked for.
at::Tensor forward_of(AutogradContext* context, const PlanPointer& plan, tensor_list inputs, const at::Tensor& query,
                      const at::Tensor& key, const at::Tensor& value, bool keep) {
  const auto options = query.options();
  const at::Tensor result = at::empty({plan->rows, plan->heads, plan->dim}, options);
  const at::Tensor kept = keep ? at::empty({plan->scores * plan->heads}, options) : at::Tensor();
  attend(*plan, Inputs(query), Inputs(key), Inputs(value), Outputs(result),
         keep ? kept.mutable_data_ptr<float>() : nullptr);
  if (keep) {
    inputs.push_back(kept);
    context->save_for_backward(std::move(inputs));
    context->saved_data["plan"] = c10::IValue::make_capsule(plan);
  }
  return result.flatten(1);
}

void backward_of(AutogradContext* context, const at::Tensor& of_result, const at::Tensor& query, const at::Tensor& key,
                 const at::Tensor& value, const at::Tensor& kept, const Gradients& gradients) {
  const auto plan = c10::static_intrusive_pointer_cast<AttentionPlan>(context->saved_data["plan"].toCapsule());
  const at::Tensor g = of_result.contiguous().unflatten(1, {plan->heads, plan->dim});
  attend_backward(*plan, Inputs(query), Inputs(key), Inputs(value), Inputs(g), kept.const_data_ptr<float>(), gradients);
}

struct CpuAttention : torch::autograd::Function<CpuAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query, const at::Tensor& key,
                            const at::Tensor& value, const PlanPointer& plan, bool keep) {
    return forward_of(context, plan, {query, key, value}, query, key, value, keep);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto like = [&](size_t i) { return at::empty(saved[i].sizes(), saved[i].options()); };
    const at::Tensor of_query = like(0), of_key = like(1), of_value = like(2);
    backward_of(context, grads[0], saved[0], saved[1], saved[2], saved[3],
                {Outputs(of_query), Outputs(of_key), Outputs(of_value)});
    return {of_query, of_key, of_value, at::Tensor(), at::Tensor()};
  }
};

struct CpuSelfAttention : torch::autograd::Function<CpuSelfAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, const PlanPointer& plan, bool keep) {
    return forward_of(context, plan, {qkv}, qkv.select(1, 0), qkv.select(1, 1), qkv.select(1, 2), keep);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& qkv = saved[0];
    const at::Tensor of_qkv = at::empty(qkv.sizes(), qkv.options());
    const auto part = [&](int64_t i) { return Outputs(of_qkv.select(1, i)); };
    backward_of(context, grads[0], qkv.select(1, 0), qkv.select(1, 1), qkv.select(1, 2), saved[1],
                {part(0), part(1), part(2)});
    return {of_qkv, at::Tensor(), at::Tensor()};
  }
};

bool wants_gradient(const at::Tensor& x) {
  return at::GradMode::is_enabled() && x.requires_grad();
}

}  // namespace

bool takes_cpu_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         const PackedSequences& sequences) {
  if (kernels::chosen_kernels() == nullptr || !has_cpu_product()) { return false; }
  for (const auto* const x : {&query, &key, &value}) {
    if (!x->is_cpu() || x->scalar_type() != at::kFloat || x->stride(2) != 1) { return false; }
  }
  return std::all_of(sequences.groups.begin(), sequences.groups.end(),
                     [](const SequenceGroup& group) { return group.queries <= kLongest; });
}

at::Tensor cpu_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         const PackedSequences& sequences, bool causal) {
  const bool keep = wants_gradient(query) || wants_gradient(key) || wants_gradient(value);
  return CpuAttention::apply(query, key, value, plan_attention(query, key, sequences, causal), keep);
}

at::Tensor cpu_self_attention(const at::Tensor& qkv, const PackedSequences& sequences) {
  const at::Tensor query = qkv.select(1, 0);
  return CpuSelfAttention::apply(qkv, plan_attention(query, query, sequences, /*causal=*/false), wants_gradient(qkv));
}

}  // namespace mdl::worker::layers
