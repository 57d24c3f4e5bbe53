#pragma once

#include <ATen/core/Tensor.h>

namespace mdl::worker::layers {

/// How well each of n tokens is predicted.
struct TokenScores {
  at::Tensor losses;  ///< [n] float32: cross-entropy
  at::Tensor hits;    ///< [n] bool: the token is the likeliest one
};

/// Of `hidden · weightᵀ` against `targets`: hidden [n, dim], weight [vocab, dim], targets [n] int64. As in
/// token_loss_sum() the logits are rounded to the model's type and then taken in float32, and at most `logit_bytes` of
/// them exist at a time (but one row at least). No gradients.
TokenScores token_scores(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                         int64_t logit_bytes = int64_t{128} << 20);

}  // namespace mdl::worker::layers
