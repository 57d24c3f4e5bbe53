#include "worker/layers/attention.hpp"

#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include "worker/layers/cpu_attention.hpp"
#include "worker/layers/cpu_product.hpp"

namespace mdl::worker::layers {

namespace {

at::Tensor attend_by_groups(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const std::vector<SequenceGroup>& groups, bool causal) {
  std::vector<int64_t> rows;
  rows.reserve(groups.size());
  for (const auto& group : groups) { rows.push_back(group.count * group.queries); }
  // One split and one cat: the backward pass of a slice would fill a whole zero tensor for each group.
  const auto queries = query.split_with_sizes(rows);
  const auto keys = key.split_with_sizes(rows);
  const auto values = value.split_with_sizes(rows);

  const bool grouped_query = query.size(1) != key.size(1);
  std::vector<at::Tensor> outputs;
  outputs.reserve(groups.size());
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto& group = groups[i];
    const auto heads_first = [&](const at::Tensor& x) {  // [rows, heads, dim] -> [count, heads, length, dim]
      return x.unflatten(0, {group.count, group.queries}).transpose(1, 2);
    };
    const auto visible = [&](const at::Tensor& x) {
      return group.keys == group.queries ? heads_first(x) : heads_first(x).narrow(2, 0, group.keys);
    };
    const at::Tensor y =
        at::scaled_dot_product_attention(heads_first(queries[i]), visible(keys[i]), visible(values[i]), {},
                                         /*dropout_p=*/0.0, causal, /*scale=*/std::nullopt, grouped_query);
    outputs.push_back(y.transpose(1, 2).reshape({rows[i], -1}));
  }
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs);
}

/// Where oneDNN makes kernels for bfloat16 it looks them up again for each product of the backward pass: float32 is
/// faster.
bool is_widened(const at::Tensor& x, const PackedSequences& sequences) {
  return x.is_cpu() && x.scalar_type() == at::kBFloat16 && !sequences.ends && cpu_multiplies_bfloat16();
}

}  // namespace

at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const PackedSequences& sequences, bool causal) {
  if (is_widened(query, sequences)) {
    const auto wide = [](const at::Tensor& x) { return x.to(at::kFloat); };
    return packed_attention(wide(query), wide(key), wide(value), sequences, causal).to(query.scalar_type());
  }
  if (!sequences.ends) {
    return takes_cpu_attention(query, key, value, sequences)
               ? cpu_attention(query, key, value, sequences, causal)
               : attend_by_groups(query, key, value, sequences.groups, causal);
  }
  const SequenceEnds& ends = *sequences.ends;
  return std::get<0>(at::_flash_attention_forward(query, key, value, ends.queries, ends.keys, ends.longest_query,
                                                  ends.longest_key, /*dropout_p=*/0.0, causal,
                                                  /*return_debug_mask=*/false))
      .flatten(1);
}

at::Tensor packed_self_attention(const at::Tensor& qkv, const PackedSequences& sequences) {
  if (is_widened(qkv, sequences)) { return packed_self_attention(qkv.to(at::kFloat), sequences).to(qkv.scalar_type()); }
  const auto parts = qkv.unbind(1);
  if (!sequences.ends && takes_cpu_attention(parts[0], parts[1], parts[2], sequences)) {
    return cpu_self_attention(qkv, sequences);
  }
  return packed_attention(parts[0], parts[1], parts[2], sequences, /*causal=*/false);
}

}  // namespace mdl::worker::layers
