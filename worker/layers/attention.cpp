#include "worker/layers/attention.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace mdl::worker::layers {

std::vector<SequenceGroup> group_sequences(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys) {
  std::vector<SequenceGroup> groups;
  for (size_t i = 0; i < queries.size(); ++i) {
    if (!groups.empty() && groups.back().queries == queries[i] && groups.back().keys == keys[i]) {
      ++groups.back().count;
    } else {
      groups.push_back({1, queries[i], keys[i]});
    }
  }
  return groups;
}

at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
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

}  // namespace mdl::worker::layers
