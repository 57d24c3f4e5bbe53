#include "worker/model/patch_embed.hpp"

#include <ATen/ops/linear.h>

namespace mdl::worker::model {

PatchEmbed::PatchEmbed(int64_t dim, int64_t bins, int64_t frames, at::ScalarType dtype) : bins_(bins), frames_(frames) {
  declare_parameter(weight_, "weight", {dim, 1, bins, frames}, dtype);
  declare_parameter(bias_, "bias", {dim}, dtype);
}

at::Tensor PatchEmbed::forward(const at::Tensor& mel, const at::Tensor& rows) const {
  const int64_t patches = patches_of(mel);
  const at::Tensor all = mel.narrow(2, 0, patches * frames_)
                             .unflatten(2, {patches, frames_})
                             .transpose(1, 2)  // [batch, patches, bins, frames]
                             .reshape({-1, bins_ * frames_});
  return at::linear(all.index_select(0, rows), weight_.flatten(1), bias_);
}

}  // namespace mdl::worker::model
