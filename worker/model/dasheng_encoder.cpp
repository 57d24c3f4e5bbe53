#include "worker/model/dasheng_encoder.hpp"

#include <ATen/ops/gelu.h>
#include <ATen/ops/linear.h>

#include "worker/layers/checkpoint_layer.hpp"
#include "worker/tensors/index_tensor.hpp"

namespace mdl::worker::model {
namespace {

constexpr double kLayerNormEps = 1e-6;

}  // namespace

EncoderBlock::EncoderBlock(const AudioEncoderConfig& config, at::ScalarType dtype) : heads_(config.num_heads) {
  const int64_t dim = config.embed_dim;
  norm1_ = register_module("norm1", std::make_shared<layers::LayerNorm>(dim, kLayerNormEps, dtype));
  auto attn = register_module("attn", std::make_shared<layers::Layer>());
  qkv_ = attn->register_module("qkv", std::make_shared<layers::Linear>(dim, 3 * dim, config.qkv_bias, dtype));
  proj_ = attn->register_module("proj", std::make_shared<layers::Linear>(dim, dim, true, dtype));
  norm2_ = register_module("norm2", std::make_shared<layers::LayerNorm>(dim, kLayerNormEps, dtype));
  auto mlp = register_module("mlp", std::make_shared<layers::Layer>());
  fc1_ = mlp->register_module("fc1", std::make_shared<layers::Linear>(dim, config.mlp_dim(), true, dtype));
  fc2_ = mlp->register_module("fc2", std::make_shared<layers::Linear>(config.mlp_dim(), dim, true, dtype));
}

at::Tensor EncoderBlock::forward(const at::Tensor& x, const std::vector<layers::SequenceGroup>& groups) const {
  const auto qkv = qkv_->forward(norm1_->forward(x)).unflatten(1, {3, heads_, -1}).unbind(1);
  const at::Tensor h = x + proj_->forward(layers::packed_attention(qkv[0], qkv[1], qkv[2], groups, /*causal=*/false));
  return h + fc2_->forward(at::gelu(fc1_->forward(norm2_->forward(h))));
}

std::vector<at::Tensor> EncoderBlock::trained() const {
  std::vector<at::Tensor> tensors;
  for (const auto& layer : {qkv_, proj_, fc1_, fc2_}) { layer->collect_trained(tensors); }
  return tensors;
}

PatchEmbed::PatchEmbed(const AudioEncoderConfig& config, at::ScalarType dtype) {
  declare_parameter(weight_, "proj.weight", {config.embed_dim, 1, config.n_mels, config.patch_frames}, dtype);
  declare_parameter(bias_, "proj.bias", {config.embed_dim}, dtype);
}

at::Tensor PatchEmbed::forward(const at::Tensor& patches) const {
  return at::linear(patches, weight_.flatten(1), bias_);
}

DashengEncoder::DashengEncoder(const AudioEncoderConfig& config, at::ScalarType dtype) : config_(config) {
  // Python registers parameters of a module before its children; the optimizer's order in checkpoints depends on it.
  declare_parameter(time_pos_embed_, "time_pos_embed", {1, config.embed_dim, 1, config.piece_patches()}, dtype);
  declare_parameter(freq_pos_embed_, "freq_pos_embed", {1, config.embed_dim, 1, 1}, dtype);
  frontend = register_module("front_end", std::make_shared<MelFrontend>(config));
  init_bn = register_module("init_bn", std::make_shared<layers::MelBatchNorm>(config.n_mels, dtype));
  patch_embed_ = register_module("patch_embed", std::make_shared<PatchEmbed>(config, dtype));
  auto blocks = register_module("blocks", std::make_shared<layers::Layer>());
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(blocks->register_module(std::to_string(i), std::make_shared<EncoderBlock>(config, dtype)));
  }
  norm_ = register_module("norm", std::make_shared<layers::LayerNorm>(config.embed_dim, kLayerNormEps, dtype));
}

at::Tensor DashengEncoder::encode(const at::Tensor& features, const std::vector<AudioPiece>& pieces) {
  const at::Tensor mel = init_bn->forward(features.to(time_pos_embed_.scalar_type()));
  std::vector<int64_t> queries, keys;
  for (const auto& piece : pieces) {
    queries.push_back(piece.patches);
    keys.push_back(piece.keys);
  }
  const auto groups = layers::group_sequences(queries, keys);
  at::Tensor h = embed(mel, pieces);
  for (const auto& block : blocks_) {
    const auto run = [block, groups](const at::Tensor& x) { return block->forward(x, groups); };
    h = gradient_checkpointing ? layers::checkpoint_layer(run, h, block->trained()) : run(h);
  }
  return norm_->forward(h);
}

at::Tensor DashengEncoder::embed(const at::Tensor& mel, const std::vector<AudioPiece>& pieces) const {
  const int64_t frames = config_.patch_frames;
  const int64_t per_clip = mel.size(2) / frames;  // frames that fill no patch are dropped
  std::vector<int64_t> patch_rows, time_rows;
  for (const auto& piece : pieces) {
    for (int64_t i = 0; i < piece.patches; ++i) {
      patch_rows.push_back(piece.clip * per_clip + piece.first_patch + i);
      time_rows.push_back(i);  // positions start again in each piece
    }
  }
  const at::Tensor patches = mel.narrow(2, 0, per_clip * frames)
                                 .unflatten(2, {per_clip, frames})
                                 .transpose(1, 2)  // [batch, patches, n_mels, frames]
                                 .reshape({-1, config_.n_mels * frames});
  const at::Tensor time = time_pos_embed_.flatten().view({config_.embed_dim, -1}).t();
  const at::Tensor frequency = freq_pos_embed_.flatten();
  return patch_embed_->forward(patches.index_select(0, tensors::index_tensor(patch_rows, mel.device()))) +
         time.index_select(0, tensors::index_tensor(time_rows, mel.device())) + frequency;
}

}  // namespace mdl::worker::model
