#pragma once

#include <memory>

#include "worker/layers/norm.hpp"
#include "worker/model/mel_frontend.hpp"
#include "worker/model/patch_embed.hpp"

namespace mdl::worker::model {

/// What a sound sounds like, in one layer: the second branch of the 0.6B's audio encoder. Nothing in it is trained.
class AcousticBranch {
 public:
  explicit AcousticBranch(const AudioEncoderConfig& config, at::ScalarType dtype);

  /// mel: of `frontend`, [batch, bins, frames]; rows: as PatchEmbed::forward() has them -> [rows, dim].
  at::Tensor forward(const at::Tensor& mel, const at::Tensor& rows) const;

  std::shared_ptr<MelFrontend> frontend;
  std::shared_ptr<PatchEmbed> patch_embed;
  std::shared_ptr<layers::LayerNorm> norm;

 private:
  at::ScalarType dtype_;
};

}  // namespace mdl::worker::model
