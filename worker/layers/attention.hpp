#pragma once

#include "worker/layers/packed_sequences.hpp"

namespace mdl::worker::layers {

/// Scaled dot-product attention inside each packed sequence: one call of flash attention where `sequences` has ends,
/// else the CPU's own (cpu_attention.hpp) where it serves, else one of scaled_dot_product_attention for each group,
/// without a mask, so that its fused kernels apply. On a CPU with AMX bfloat16 is computed in float32.
/// query [rows, heads, head_dim]; key, value [rows, kv_heads, head_dim], where each key head serves heads / kv_heads
/// query heads. Returns [rows, heads · head_dim]. With `causal`, a row sees itself and the rows before it; then no rows
/// may be hidden.
at::Tensor packed_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const PackedSequences& sequences, bool causal);

/// The same of qkv [rows, 3, heads, head_dim], not causal.
at::Tensor packed_self_attention(const at::Tensor& qkv, const PackedSequences& sequences);

}  // namespace mdl::worker::layers
