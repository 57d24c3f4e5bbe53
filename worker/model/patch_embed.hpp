#pragma once

#include "worker/layers/layer.hpp"

namespace mdl::worker::model {

/// A convolution whose stride is its kernel, that is a linear map of each patch. A patch is `frames` frames over all
/// mel bins.
class PatchEmbed : public layers::Layer {
 public:
  PatchEmbed(int64_t dim, int64_t bins, int64_t frames, at::ScalarType dtype);

  /// Patches of a clip; frames that fill none are dropped.
  int64_t patches_of(const at::Tensor& mel) const { return mel.size(2) / frames_; }

  /// mel [batch, bins, frames], rows [n] int64 -> [n, dim]: row clip · patches_of(mel) + patch is that patch of a clip.
  at::Tensor forward(const at::Tensor& mel, const at::Tensor& rows) const;

 private:
  int64_t bins_, frames_;
  at::Tensor weight_;  ///< [dim, 1, bins, frames]
  at::Tensor bias_;
};

}  // namespace mdl::worker::model
