#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "worker/generation/generation_config.hpp"

namespace mdl::worker::generation {

// How the next token of each sequence is chosen from its scores: [rows, vocab] float32, at first the model's logits.
// Pure functions; each gives what the part of transformers of the same purpose gives.

/// Makes tokens that `seen` (bool [rows, vocab]) marks less likely: positive scores are divided by the penalty, others
/// multiplied with it. A penalty below 1 makes them likelier.
at::Tensor penalize_repetition(const at::Tensor& scores, const at::Tensor& seen, double penalty);

/// Rules tokens out: -infinity in these columns.
at::Tensor without_tokens(const at::Tensor& scores, const std::vector<int64_t>& tokens);

/// Divides by the temperature and rules out what is not among the top_k, not needed for a probability of top_p, or less
/// likely than min_p times the likeliest, in this order. At least one token of each row stays.
at::Tensor filter_for_sampling(const at::Tensor& scores, const GenerationConfig& config);

/// The token of the highest score in each row: int64 [rows].
at::Tensor likeliest(const at::Tensor& scores);

/// A token for each row with the probabilities softmax(scores): the one in whose share of the line from 0 to 1 the
/// row's number lies. `numbers` has one in [0, 1) for each row. int64 [rows].
at::Tensor sampled(const at::Tensor& scores, const std::vector<double>& numbers);

/// A number in [0, 1) that looks random and depends on its arguments alone: so an answer is the same whatever batch,
/// rank or run it is made in.
double random_number(uint64_t seed, uint64_t sequence, uint64_t step);

}  // namespace mdl::worker::generation
