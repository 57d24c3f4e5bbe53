#pragma once

#include <memory>
#include <vector>

#include "worker/layers/attention.hpp"
#include "worker/layers/embedding.hpp"
#include "worker/layers/linear.hpp"
#include "worker/model/kv_cache.hpp"

namespace mdl::worker::model {

/// What MiDashengLM needs of its text model: one of transformers' …ForCausalLM classes without its loss. A new one is a
/// class that implements this and a row in decoders.cpp.
///
/// It registers embed_tokens, then its layers, then lm_head, under the names of the checkpoint: their order is that of
/// the optimizer's state in a Trainer's checkpoint. All its linear layers are layers::Linear, so that they can be
/// quantized and carry adapters.
class Decoder : public layers::Layer {
 public:
  /// Embeddings [tokens, hidden] of packed causal sequences with their rope positions [tokens] -> final states, ready
  /// for lm_head. With `rows`, which may be undefined, only those of these tokens: the last layer does no work for the
  /// others. With `cache`, which may be null, keys and values of all layers are kept in it.
  virtual at::Tensor forward(const at::Tensor& embeddings, const at::Tensor& positions,
                             const layers::PackedSequences& sequences, const at::Tensor& rows,
                             KvCache* cache) const = 0;

  /// Embeddings [rows, hidden] of one further token of each cached sequence -> final states [rows, hidden].
  virtual at::Tensor step(const at::Tensor& embeddings, KvCache& cache) const = 0;

  at::Tensor embed(const at::Tensor& ids) const { return embed_tokens->forward(ids); }  ///< [n] -> [n, hidden]
  at::Tensor logits(const at::Tensor& states) const { return lm_head->forward(states); }

  bool is_tied() const { return lm_head->weight.is_same(embed_tokens->weight); }

  bool gradient_checkpointing = false;  ///< recompute each layer in the backward pass
  std::shared_ptr<layers::Embedding> embed_tokens;
  std::shared_ptr<layers::Linear> lm_head;  ///< [vocab, hidden], no bias; shares embed_tokens's weight when tied
};

}  // namespace mdl::worker::model
