#pragma once

#include <memory>
#include <vector>

#include "worker/layers/attention.hpp"
#include "worker/layers/linear.hpp"
#include "worker/layers/norm.hpp"
#include "worker/model/batch_layout.hpp"
#include "worker/model/mel_frontend.hpp"

namespace mdl::worker::model {

/// A pre-norm transformer block: x += attn(norm1(x)); x += mlp(norm2(x)), with exact GELU.
class EncoderBlock : public layers::Layer {
 public:
  EncoderBlock(const AudioEncoderConfig& config, at::ScalarType dtype);

  /// x [rows, dim], packed sequences.
  at::Tensor forward(const at::Tensor& x, const std::vector<layers::SequenceGroup>& groups) const;

  std::vector<at::Tensor> trained() const;  ///< the tensors that need gradients

 private:
  int64_t heads_;
  std::shared_ptr<layers::LayerNorm> norm1_, norm2_;
  std::shared_ptr<layers::Linear> qkv_, proj_, fc1_, fc2_;
};

/// `audio_encoder.patch_embed`: a convolution whose stride is its kernel, that is a linear map of each patch.
class PatchEmbed : public layers::Layer {
 public:
  PatchEmbed(const AudioEncoderConfig& config, at::ScalarType dtype);
  at::Tensor forward(const at::Tensor& patches) const;  ///< [rows, n_mels · patch_frames] -> [rows, dim]

 private:
  at::Tensor weight_;  ///< [dim, 1, n_mels, patch_frames]
  at::Tensor bias_;
};

/// `audio_encoder`: waveforms to patch embeddings. A patch is patch_frames mel frames (40 ms) over all bins.
class DashengEncoder : public layers::Layer {
 public:
  DashengEncoder(const AudioEncoderConfig& config, at::ScalarType dtype);

  /// waveform [batch, samples] float32 -> one row [dim] for each patch of `pieces`, in their order.
  at::Tensor forward(const at::Tensor& waveform, const std::vector<AudioPiece>& pieces) {
    return encode(frontend->forward(waveform), pieces);
  }

  /// The same from the frontend's features on: dB [batch, n_mels, frames].
  at::Tensor encode(const at::Tensor& features, const std::vector<AudioPiece>& pieces);

  bool gradient_checkpointing = false;  ///< recompute each block in the backward pass
  std::shared_ptr<MelFrontend> frontend;
  std::shared_ptr<layers::MelBatchNorm> init_bn;

 private:
  /// Embeds the patches of all pieces, positions added: [rows, dim].
  at::Tensor embed(const at::Tensor& mel, const std::vector<AudioPiece>& pieces) const;

  AudioEncoderConfig config_;
  at::Tensor time_pos_embed_;  ///< [1, dim, 1, piece_patches]
  at::Tensor freq_pos_embed_;  ///< [1, dim, 1, 1]
  std::shared_ptr<PatchEmbed> patch_embed_;
  std::vector<std::shared_ptr<EncoderBlock>> blocks_;
  std::shared_ptr<layers::LayerNorm> norm_;
};

}  // namespace mdl::worker::model
