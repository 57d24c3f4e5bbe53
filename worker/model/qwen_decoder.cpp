#include "worker/model/qwen_decoder.hpp"

#include "worker/formats/json_fields.hpp"
#include "worker/layers/checkpoint_layer.hpp"
#include "worker/layers/gated_silu.hpp"

namespace mdl::worker::model {

QwenDecoderLayer::QwenDecoderLayer(const TextConfig& config, at::ScalarType dtype) : config_(config) {
  const auto linear = [dtype](int64_t in, int64_t out, bool bias) {
    return std::make_shared<layers::Linear>(in, out, bias, dtype);
  };
  const auto norm = [&](int64_t dim) { return std::make_shared<layers::RmsNorm>(dim, config.rms_norm_eps, dtype); };
  const int64_t hidden = config.hidden_size;
  const int64_t query_dim = config.num_heads * config.head_dim;
  const int64_t key_dim = config.num_kv_heads * config.head_dim;

  auto attn = register_module("self_attn", std::make_shared<layers::Layer>());
  q_ = attn->register_module("q_proj", linear(hidden, query_dim, config.qkv_bias));
  k_ = attn->register_module("k_proj", linear(hidden, key_dim, config.qkv_bias));
  v_ = attn->register_module("v_proj", linear(hidden, key_dim, config.qkv_bias));
  o_ = attn->register_module("o_proj", linear(query_dim, hidden, config.o_bias));
  if (config.qk_norm) {
    q_norm_ = attn->register_module("q_norm", norm(config.head_dim));
    k_norm_ = attn->register_module("k_norm", norm(config.head_dim));
  }
  auto mlp = register_module("mlp", std::make_shared<layers::Layer>());
  gate_ = mlp->register_module("gate_proj", linear(hidden, config.intermediate_size, false));
  up_ = mlp->register_module("up_proj", linear(hidden, config.intermediate_size, false));
  down_ = mlp->register_module("down_proj", linear(config.intermediate_size, hidden, false));
  input_norm_ = register_module("input_layernorm", norm(hidden));
  post_norm_ = register_module("post_attention_layernorm", norm(hidden));
}

at::Tensor QwenDecoderLayer::forward(const at::Tensor& x, const layers::RopeAngles& rope,
                                     const layers::PackedSequences& sequences, const at::Tensor& rows,
                                     LayerCache* cache) const {
  const auto kept = [&](const at::Tensor& all) { return rows.defined() ? all.index_select(0, rows) : all; };
  const auto [query, key, value] = heads(input_norm_->forward(x), rope);
  if (cache) { cache->fill(key, value); }
  return finish(kept(x), kept(layers::packed_attention(query, key, value, sequences, /*causal=*/true)));
}

at::Tensor QwenDecoderLayer::step(const at::Tensor& x, const layers::RopeAngles& rope, LayerCache& cache) const {
  const auto [query, key, value] = heads(input_norm_->forward(x), rope);
  return finish(x, cache.attend(query, key, value));
}

at::Tensor QwenDecoderLayer::finish(const at::Tensor& x, const at::Tensor& attended) const {
  const at::Tensor h = x + o_->forward(attended);
  const at::Tensor n = post_norm_->forward(h);
  return h + down_->forward(layers::gated_silu(gate_->forward(n), up_->forward(n)));
}

std::vector<at::Tensor> QwenDecoderLayer::trained() const {
  std::vector<at::Tensor> tensors;
  for (const auto& layer : {q_, k_, v_, o_, gate_, up_, down_}) { layer->collect_trained(tensors); }
  return tensors;
}

QwenDecoderLayer::Heads QwenDecoderLayer::heads(const at::Tensor& x, const layers::RopeAngles& rope) const {
  at::Tensor query = q_->forward(x).unflatten(1, {config_.num_heads, config_.head_dim});
  at::Tensor key = k_->forward(x).unflatten(1, {config_.num_kv_heads, config_.head_dim});
  const at::Tensor value = v_->forward(x).unflatten(1, {config_.num_kv_heads, config_.head_dim});
  if (q_norm_) {
    query = q_norm_->forward(query);
    key = k_norm_->forward(key);
  }
  return {layers::rotated(query, rope), layers::rotated(key, rope), value};
}

QwenDecoder::QwenDecoder(const TextConfig& config, at::ScalarType dtype) : config_(config) {
  auto model = register_module("model", std::make_shared<layers::Layer>());
  embed_tokens = model->register_module(
      "embed_tokens", std::make_shared<layers::Embedding>(config.vocab_size, config.hidden_size, dtype));
  embed_tokens->padding_idx = config.pad_token_id;
  auto layers = model->register_module("layers", std::make_shared<layers::Layer>());
  for (int64_t i = 0; i < config.num_layers; ++i) {
    layers_.push_back(layers->register_module(std::to_string(i), std::make_shared<QwenDecoderLayer>(config, dtype)));
  }
  norm_ =
      model->register_module("norm", std::make_shared<layers::RmsNorm>(config.hidden_size, config.rms_norm_eps, dtype));
  lm_head =
      register_module("lm_head", std::make_shared<layers::Linear>(config.hidden_size, config.vocab_size, false, dtype));
}

at::Tensor QwenDecoder::forward(const at::Tensor& embeddings, const at::Tensor& positions,
                                const layers::PackedSequences& sequences, const at::Tensor& rows,
                                KvCache* cache) const {
  const auto rope = layers::rope_angles(positions, config_.head_dim, config_.rope_theta, embeddings.scalar_type());
  at::Tensor h = embeddings;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto& layer = layers_[i];
    const bool last = i + 1 == layers_.size();
    const at::Tensor wanted = last ? rows : at::Tensor();
    LayerCache* const kept = cache ? &cache->layer(i) : nullptr;
    const auto run = [=](const at::Tensor& x) { return layer->forward(x, rope, sequences, wanted, kept); };
    // The backward pass begins with the last layer: dropping what it computed would free nothing.
    h = gradient_checkpointing && !last ? layers::checkpoint_layer(run, h, layer->trained()) : run(h);
  }
  return norm_->forward(h);
}

at::Tensor QwenDecoder::step(const at::Tensor& embeddings, KvCache& cache) const {
  const auto rope =
      layers::rope_angles(cache.positions(), config_.head_dim, config_.rope_theta, embeddings.scalar_type());
  at::Tensor h = embeddings;
  for (size_t i = 0; i < layers_.size(); ++i) { h = layers_[i]->step(h, rope, cache.layer(i)); }
  cache.advance();
  return norm_->forward(h);
}

TextConfig read_qwen2_config(const formats::JsonFields& fields) {
  TextConfig config = read_common_text_config(fields);
  config.qkv_bias = true;
  return config;
}

TextConfig read_qwen2_5_omni_config(const formats::JsonFields& fields) {
  // transformers writes only what differs from its class, whose sizes these are: the 7B's.
  TextConfig config = read_common_text_config(fields, {.hidden_size = 3584,
                                                       .num_layers = 28,
                                                       .intermediate_size = 18944,
                                                       .num_heads = 28,
                                                       .num_kv_heads = 4,
                                                       .vocab_size = 152064,
                                                       .rope_theta = 1e6});
  config.qkv_bias = true;
  return config;
}

TextConfig read_qwen3_config(const formats::JsonFields& fields) {
  TextConfig config = read_common_text_config(fields, {.head_dim = 128});
  config.qkv_bias = config.o_bias = fields.boolean("attention_bias", false);
  config.qk_norm = true;
  return config;
}

}  // namespace mdl::worker::model
