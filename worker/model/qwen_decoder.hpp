#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "worker/layers/attention.hpp"
#include "worker/layers/linear.hpp"
#include "worker/layers/norm.hpp"
#include "worker/layers/rope.hpp"
#include "worker/model/config.hpp"
#include "worker/model/kv_cache.hpp"

namespace mdl::worker::model {

class Embedding : public layers::Layer {
 public:
  Embedding(int64_t rows, int64_t dim, at::ScalarType dtype);
  at::Tensor forward(const at::Tensor& ids) const;  ///< [n] -> [n, dim]
  at::Tensor weight;
  std::optional<int64_t> untrained_row;  ///< gets no gradient when the rest is trained: the padding token's
};

/// A Qwen2.5 or Qwen3 layer: x += attention(norm(x)); x += down(silu(gate(n)) · up(n)) with n = norm(x).
class DecoderLayer : public layers::Layer {
 public:
  DecoderLayer(const TextConfig& config, at::ScalarType dtype);

  /// x [tokens, hidden], packed causal sequences. With `rows`, only these tokens are computed past the attention and
  /// returned, in this order: [rows, hidden]. With `cache`, it keeps the keys and values.
  at::Tensor forward(const at::Tensor& x, const layers::RopeAngles& rope,
                     const std::vector<layers::SequenceGroup>& groups, const at::Tensor& rows = {},
                     LayerCache* cache = nullptr) const;

  /// One further token of each cached sequence: x [rows, hidden] -> [rows, hidden].
  at::Tensor step(const at::Tensor& x, const layers::RopeAngles& rope, LayerCache& cache) const;

  std::vector<at::Tensor> trained() const;  ///< the tensors that need gradients

 private:
  struct Heads {
    at::Tensor query;  ///< [tokens, heads, head_dim], rotated
    at::Tensor key;    ///< [tokens, kv_heads, head_dim], rotated
    at::Tensor value;  ///< [tokens, kv_heads, head_dim]
  };
  Heads heads(const at::Tensor& x, const layers::RopeAngles& rope) const;

  /// All that follows the attention: x and `attended` [tokens, heads · head_dim] -> the layer's output.
  at::Tensor finish(const at::Tensor& x, const at::Tensor& attended) const;

  TextConfig config_;
  std::shared_ptr<layers::RmsNorm> input_norm_, post_norm_;
  std::shared_ptr<layers::Linear> q_, k_, v_, o_, gate_, up_, down_;
  std::shared_ptr<layers::RmsNorm> q_norm_, k_norm_;  ///< Qwen3 only
};

/// `decoder`: Qwen2ForCausalLM or Qwen3ForCausalLM without its loss.
class QwenDecoder : public layers::Layer {
 public:
  QwenDecoder(const TextConfig& config, at::ScalarType dtype);

  at::Tensor embed(const at::Tensor& ids) const { return embed_tokens->forward(ids); }

  /// Embeddings [tokens, hidden] of packed rows with their rope positions [tokens] -> normalised final states. With
  /// `rows` only those of these tokens: the last layer does no work for the others. `cache` keeps keys and values.
  at::Tensor forward(const at::Tensor& embeddings, const at::Tensor& positions,
                     const std::vector<layers::SequenceGroup>& groups, const at::Tensor& rows = {},
                     KvCache* cache = nullptr) const;

  /// Embeddings [rows, hidden] of one further token of each cached sequence -> normalised final states [rows, hidden].
  at::Tensor step(const at::Tensor& embeddings, KvCache& cache) const;

  int64_t layer_count() const { return static_cast<int64_t>(layers_.size()); }

  bool gradient_checkpointing = false;  ///< recompute each layer in the backward pass
  std::shared_ptr<Embedding> embed_tokens;
  std::shared_ptr<layers::Linear> lm_head;  ///< [vocab, hidden], no bias; shares embed_tokens's weight when tied

 private:
  TextConfig config_;
  std::vector<std::shared_ptr<DecoderLayer>> layers_;
  std::shared_ptr<layers::RmsNorm> norm_;
};

}  // namespace mdl::worker::model
