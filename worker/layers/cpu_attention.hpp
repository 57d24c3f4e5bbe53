#pragma once

#include "worker/layers/packed_sequences.hpp"

namespace mdl::worker::layers {

/// Whether cpu_attention() serves: float32 on the CPU, the numbers of a head beside each other, a processor that has
/// kernels (worker/kernels/), a LibTorch that brings a matrix product, and sequences short enough that keeping all
/// their probabilities is little beside the layers' own numbers, and faster than flash attention, which makes them
/// again.
bool takes_cpu_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         const PackedSequences& sequences);

/// packed_attention() as one operation each way: the threads share all sequences and heads.
at::Tensor cpu_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         const PackedSequences& sequences, bool causal);

/// The same of qkv [rows, 3, heads, head_dim], not causal: its gradient is made as one tensor.
at::Tensor cpu_self_attention(const at::Tensor& qkv, const PackedSequences& sequences);

}  // namespace mdl::worker::layers
