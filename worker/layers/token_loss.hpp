#pragma once

#include <ATen/core/Tensor.h>

namespace mdl::worker::layers {

/// Sum of the cross-entropy of `hidden · weightᵀ` against `targets`, as a float32 scalar.
/// hidden [n, dim], weight [vocab, dim] (frozen or trained), targets [n] int64. As in Hugging Face's loss the logits
/// are rounded to the model's type and then taken in float32.
///
/// At most `logit_bytes` of float32 logits exist at a time (but one row at least): each stretch of rows is finished,
/// gradient included, before the next begins, so that the backward pass needs only [n, dim] kept (and [vocab, dim] when
/// the weight is trained).
at::Tensor token_loss_sum(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets,
                          int64_t logit_bytes = int64_t{128} << 20);

}  // namespace mdl::worker::layers
