#pragma once

#include "worker/layers/layer.hpp"

namespace mdl::worker::layers {

/// Root-mean-square normalisation over the last dimension, computed in float32: weight · x / sqrt(mean(x²) + eps).
/// The quotient is rounded to the type of x before it is multiplied with the weight. On a GPU it is one kernel each
/// way.
class RmsNorm : public Layer {
 public:
  RmsNorm(int64_t dim, double eps, at::ScalarType dtype);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_;
  double eps_;
};

class LayerNorm : public Layer {
 public:
  LayerNorm(int64_t dim, double eps, at::ScalarType dtype);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor weight_, bias_;
  double eps_;
};

/// `audio_encoder.init_bn`: batch normalisation of each mel bin over batch and time, momentum 0.01.
class MelBatchNorm : public Layer {
 public:
  MelBatchNorm(int64_t bins, at::ScalarType dtype);

  /// x [batch, bins, frames]. In train mode: statistics of x, and the running statistics move; else the running ones.
  at::Tensor forward(const at::Tensor& x);

  bool always_use_running_statistics = false;

 private:
  at::Tensor weight_, bias_, running_mean_, running_var_, batches_;
};

}  // namespace mdl::worker::layers
