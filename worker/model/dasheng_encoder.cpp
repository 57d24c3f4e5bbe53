#include "worker/model/dasheng_encoder.hpp"

#include <ATen/ops/gelu.h>

#include "worker/layers/checkpoint_layer.hpp"

namespace mdl::worker::model {
namespace {

constexpr double kLayerNormEps = 1e-6;

/// A full name as it is within the encoder.
std::string below(const std::string& name) {
  return name.substr(std::string_view("audio_encoder.").size());
}

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

at::Tensor EncoderBlock::forward(const at::Tensor& x, const layers::PackedSequences& sequences) const {
  const at::Tensor qkv = qkv_->forward(norm1_->forward(x)).unflatten(1, {3, heads_, -1});
  const at::Tensor h = x + proj_->forward(layers::packed_self_attention(qkv, sequences));
  return h + fc2_->forward(at::gelu(fc1_->forward(norm2_->forward(h))));
}

std::vector<at::Tensor> EncoderBlock::trained() const {
  std::vector<at::Tensor> tensors;
  for (const auto& layer : {qkv_, proj_, fc1_, fc2_}) { layer->collect_trained(tensors); }
  return tensors;
}

DashengEncoder::DashengEncoder(const AudioEncoderConfig& config, at::ScalarType dtype) : config_(config) {
  const formats::EncoderNames& names = config.names;
  // Python registers parameters of a module before its children; the optimizer's order in checkpoints depends on it.
  declare_parameter(time_pos_embed_, below(names.time_pos_embed), {1, config.embed_dim, 1, config.piece_patches()},
                    dtype);
  declare_parameter(freq_pos_embed_, below(names.freq_pos_embed), {1, config.embed_dim, 1, 1}, dtype);
  frontend_ = std::make_shared<MelFrontend>(config);
  if (config.acoustic) { acoustic_.emplace(config, dtype); }
  declare_frontends();
  if (acoustic_) {  // first: the other's modules may lie below them
    layers::register_at(*this, below(names.acoustic.value().patch_embed), acoustic_->patch_embed);
    layers::register_at(*this, below(names.acoustic->norm), acoustic_->norm);
  }
  init_bn = std::make_shared<layers::MelBatchNorm>(config.n_mels, dtype);
  layers::register_at(*this, below(names.init_bn), init_bn);
  patch_embed_ = std::make_shared<PatchEmbed>(config.embed_dim, config.n_mels, config.patch_frames, dtype);
  layers::register_at(*this, below(names.patch_embed), patch_embed_);
  auto blocks = std::make_shared<layers::Layer>();
  layers::register_at(*this, below(names.blocks), blocks);
  for (int64_t i = 0; i < config.depth; ++i) {
    blocks_.push_back(blocks->register_module(std::to_string(i), std::make_shared<EncoderBlock>(config, dtype)));
  }
  norm_ = std::make_shared<layers::LayerNorm>(config.embed_dim, kLayerNormEps, dtype);
  layers::register_at(*this, below(names.norm), norm_);
}

void DashengEncoder::declare_frontends() {
  const formats::EncoderNames& names = config_.names;
  declare_slot_of(*frontend_, "window", below(names.window));
  declare_slot_of(*frontend_, "filters", below(names.filters));
  if (!acoustic_) { return; }
  declare_slot_of(*acoustic_->frontend, "window", below(names.acoustic.value().window));
  declare_slot_of(*acoustic_->frontend, "filters", below(names.acoustic->filters));
}

AudioFeatures DashengEncoder::features(const at::Tensor& waveform) const {
  return {.mel = frontend_->forward(waveform),
          .acoustic = acoustic_ ? acoustic_->frontend->forward(waveform) : at::Tensor()};
}

at::Tensor DashengEncoder::encode(const AudioFeatures& features, const PackedBatch& batch) {
  const at::Tensor mel = init_bn->forward(features.mel.to(time_pos_embed_.scalar_type()));
  at::Tensor h = embed(mel, batch);
  for (const auto& block : blocks_) {
    const auto run = [block, sequences = batch.audio](const at::Tensor& x) { return block->forward(x, sequences); };
    h = gradient_checkpointing ? layers::checkpoint_layer(run, h, block->trained()) : run(h);
  }
  h = norm_->forward(h);
  // Both branches have the same frames, so that none of the transformer's rows need be cut off.
  return acoustic_ ? h + acoustic_->forward(features.acoustic, batch.patch_rows) : h;
}

at::Tensor DashengEncoder::embed(const at::Tensor& mel, const PackedBatch& batch) const {
  const at::Tensor time = time_pos_embed_.flatten().view({config_.embed_dim, -1}).t();
  const at::Tensor frequency = freq_pos_embed_.flatten();
  return patch_embed_->forward(mel, batch.patch_rows) + time.index_select(0, batch.patch_times) + frequency;
}

}  // namespace mdl::worker::model
