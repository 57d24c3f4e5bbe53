#include "worker/model/audio_projector.hpp"

#include <ATen/ops/gelu.h>

namespace mdl::worker::model {

AudioProjector::AudioProjector(int64_t encoder_dim, int64_t hidden_size, int64_t factor, at::ScalarType dtype)
    : factor_(factor) {
  auto net = register_module("net", std::make_shared<layers::Layer>());
  first_ = net->register_module("0", std::make_shared<layers::Linear>(encoder_dim * factor, hidden_size, true, dtype));
  second_ = net->register_module("2", std::make_shared<layers::Linear>(hidden_size, hidden_size, true, dtype));
}

at::Tensor AudioProjector::forward(const at::Tensor& patches) const {
  const at::Tensor folded = patches.reshape({patches.size(0) / factor_, -1});
  return second_->forward(at::gelu(first_->forward(folded)));
}

}  // namespace mdl::worker::model
