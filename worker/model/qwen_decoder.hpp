#pragma once

#include <memory>
#include <vector>

#include "worker/layers/norm.hpp"
#include "worker/layers/rope.hpp"
#include "worker/model/decoder.hpp"
#include "worker/model/text_config.hpp"

namespace mdl::worker::model {

/// A layer of Qwen2.5 or Qwen3: x += attention(norm(x)); x += down(silu(gate(n)) · up(n)) with n = norm(x).
class QwenDecoderLayer : public layers::Layer {
 public:
  QwenDecoderLayer(const TextConfig& config, at::ScalarType dtype);

  /// x [tokens, hidden], packed causal sequences. With `rows`, only these tokens are computed past the attention and
  /// returned, in this order: [rows, hidden]. With `cache`, it keeps the keys and values.
  at::Tensor forward(const at::Tensor& x, const layers::RopeAngles& rope, const layers::PackedSequences& sequences,
                     const at::Tensor& rows = {}, LayerCache* cache = nullptr) const;

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
  std::shared_ptr<layers::RmsNorm> q_norm_, k_norm_;  ///< with qk_norm only
};

/// Qwen2ForCausalLM or Qwen3ForCausalLM, which differ in biases and in the norms of queries and keys.
class QwenDecoder : public Decoder {
 public:
  QwenDecoder(const TextConfig& config, at::ScalarType dtype);

  at::Tensor forward(const at::Tensor& embeddings, const at::Tensor& positions,
                     const layers::PackedSequences& sequences, const at::Tensor& rows, KvCache* cache) const override;
  at::Tensor step(const at::Tensor& embeddings, KvCache& cache) const override;

 private:
  TextConfig config_;
  std::vector<std::shared_ptr<QwenDecoderLayer>> layers_;
  std::shared_ptr<layers::RmsNorm> norm_;
};

TextConfig read_qwen2_config(const formats::JsonFields& fields);
TextConfig read_qwen2_5_omni_config(const formats::JsonFields& fields);
TextConfig read_qwen3_config(const formats::JsonFields& fields);

}  // namespace mdl::worker::model
