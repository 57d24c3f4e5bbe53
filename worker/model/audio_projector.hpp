#pragma once

#include <memory>

#include "worker/layers/linear.hpp"

namespace mdl::worker::model {

/// `audio_projector`: folds `factor` neighbouring patches into one vector, then Linear, exact GELU, Linear.
class AudioProjector : public layers::Layer {
 public:
  AudioProjector(int64_t encoder_dim, int64_t hidden_size, int64_t factor, at::ScalarType dtype);

  /// patches [n · factor, encoder_dim] -> audio tokens [n, hidden_size].
  at::Tensor forward(const at::Tensor& patches) const;

 private:
  int64_t factor_;
  std::shared_ptr<layers::Linear> first_, second_;
};

}  // namespace mdl::worker::model
