#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "worker/model/attention.hpp"
#include "worker/model/config.hpp"
#include "worker/model/linear.hpp"
#include "worker/model/norm.hpp"
#include "worker/model/rope.hpp"

namespace mdl {

class Embedding : public Layer {
 public:
  Embedding(int64_t rows, int64_t dim, at::ScalarType dtype);
  at::Tensor forward(const at::Tensor& ids) const;  ///< [n] -> [n, dim]
  at::Tensor weight;
  std::optional<int64_t> untrained_row;  ///< gets no gradient when the rest is trained: the padding token's
};

/// A Qwen2.5 or Qwen3 layer: x += attention(norm(x)); x += down(silu(gate(n)) · up(n)) with n = norm(x).
class DecoderLayer : public Layer {
 public:
  DecoderLayer(const TextConfig& config, at::ScalarType dtype);

  /// x [tokens, hidden], packed causal sequences. With `rows`, only these tokens are computed past the attention and
  /// returned, in this order: [rows, hidden].
  at::Tensor forward(const at::Tensor& x, const RopeAngles& rope, const std::vector<SequenceGroup>& groups,
                     const at::Tensor& rows = {}) const;

  std::vector<at::Tensor> trained() const;  ///< the tensors that need gradients

 private:
  /// Attention of all tokens up to, but without, the output projection: [tokens, heads · head_dim].
  at::Tensor attention(const at::Tensor& x, const RopeAngles& rope, const std::vector<SequenceGroup>& groups) const;

  TextConfig config_;
  std::shared_ptr<RmsNorm> input_norm_, post_norm_;
  std::shared_ptr<Linear> q_, k_, v_, o_, gate_, up_, down_;
  std::shared_ptr<RmsNorm> q_norm_, k_norm_;  ///< Qwen3 only
};

/// `decoder`: Qwen2ForCausalLM or Qwen3ForCausalLM without its loss.
class QwenDecoder : public Layer {
 public:
  QwenDecoder(const TextConfig& config, at::ScalarType dtype);

  at::Tensor embed(const at::Tensor& ids) const { return embed_tokens->forward(ids); }

  /// Embeddings [tokens, hidden] of packed rows with their rope positions [tokens] -> normalised final states. With
  /// `rows` only those of these tokens: the last layer does no work for the others.
  at::Tensor forward(const at::Tensor& embeddings, const at::Tensor& positions,
                     const std::vector<SequenceGroup>& groups, const at::Tensor& rows = {}) const;

  bool gradient_checkpointing = false;  ///< recompute each layer in the backward pass
  std::shared_ptr<Embedding> embed_tokens;
  std::shared_ptr<Linear> lm_head;  ///< [vocab, hidden], no bias; shares embed_tokens's weight when tied

 private:
  TextConfig config_;
  std::vector<std::shared_ptr<DecoderLayer>> layers_;
  std::shared_ptr<RmsNorm> norm_;
};

}  // namespace mdl
