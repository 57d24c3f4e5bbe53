#pragma once

#include <memory>
#include <vector>

#include "worker/layers/attention.hpp"
#include "worker/layers/linear.hpp"
#include "worker/layers/norm.hpp"
#include "worker/model/acoustic_branch.hpp"
#include "worker/model/mel_frontend.hpp"
#include "worker/model/packed_batch.hpp"
#include "worker/model/patch_embed.hpp"

namespace mdl::worker::model {

/// A pre-norm transformer block: x += attn(norm1(x)); x += mlp(norm2(x)), with exact GELU.
class EncoderBlock : public layers::Layer {
 public:
  EncoderBlock(const AudioEncoderConfig& config, at::ScalarType dtype);

  /// x [rows, dim], packed sequences.
  at::Tensor forward(const at::Tensor& x, const layers::PackedSequences& sequences) const;

  std::vector<at::Tensor> trained() const;  ///< the tensors that need gradients

 private:
  int64_t heads_;
  std::shared_ptr<layers::LayerNorm> norm1_, norm2_;
  std::shared_ptr<layers::Linear> qkv_, proj_, fc1_, fc2_;
};

/// What the front ends make of waveforms, float32.
struct AudioFeatures {
  at::Tensor mel;       ///< dB [batch, n_mels, frames]
  at::Tensor acoustic;  ///< [batch, acoustic bins, frames]; undefined without that branch
};

/// `audio_encoder`: waveforms to patch embeddings. A patch is patch_frames mel frames (40 ms) over all bins. Where the
/// configuration has an acoustic branch, its embedding of each patch is added to that of the transformer. The layers
/// have the places in the tree of modules that AudioEncoderConfig::names says.
class DashengEncoder : public layers::Layer {
 public:
  DashengEncoder(const AudioEncoderConfig& config, at::ScalarType dtype);

  /// waveform [batch, samples] float32.
  AudioFeatures features(const at::Tensor& waveform) const;

  /// One row [dim] for each patch of the batch's pieces, in their order. Of the batch, the layout and the patches'
  /// rows and times are read.
  at::Tensor encode(const AudioFeatures& features, const PackedBatch& batch);

  bool gradient_checkpointing = false;  ///< recompute each block in the backward pass
  std::shared_ptr<layers::MelBatchNorm> init_bn;

 private:
  void declare_frontends();

  /// Embeds patches, positions added: [rows, dim].
  at::Tensor embed(const at::Tensor& mel, const PackedBatch& batch) const;

  AudioEncoderConfig config_;
  std::shared_ptr<MelFrontend> frontend_;
  at::Tensor time_pos_embed_;  ///< [1, dim, 1, piece_patches]
  at::Tensor freq_pos_embed_;  ///< [1, dim, 1, 1]
  std::shared_ptr<PatchEmbed> patch_embed_;
  std::vector<std::shared_ptr<EncoderBlock>> blocks_;
  std::shared_ptr<layers::LayerNorm> norm_;
  std::optional<AcousticBranch> acoustic_;
};

}  // namespace mdl::worker::model
