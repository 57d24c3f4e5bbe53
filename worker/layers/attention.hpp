#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace mdl::worker::layers {

/// Adjacent sequences of equal sizes among packed rows: they go through one kernel call.
struct SequenceGroup {
  int64_t count;    ///< sequences
  int64_t queries;  ///< rows of each
  int64_t keys;     ///< the first rows of each that may be attended to
};

/// Joins neighbours of equal sizes. `queries` and `keys` have an entry for each sequence.
std::vector<SequenceGroup> group_sequences(const std::vector<int64_t>& queries, const std::vector<int64_t>& keys);

/// Scaled dot-product attention inside each packed sequence. No mask is ever made, so that the flash kernels apply.
/// query [rows, heads, head_dim]; key, value [rows, kv_heads, head_dim], where each key head serves heads / kv_heads
/// query heads. Returns [rows, heads · head_dim]. With `causal`, a row sees itself and the rows before it.
at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const std::vector<SequenceGroup>& groups, bool causal);

}  // namespace mdl::worker::layers
