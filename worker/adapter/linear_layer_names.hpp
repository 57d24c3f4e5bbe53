#pragma once

#include <string>
#include <vector>

#include "worker/model/config.hpp"
#include "worker/model/decoder_names.hpp"

namespace mdl::worker::adapter {

/// What can carry an adapter in a model.
struct LinearLayerNames {
  std::vector<std::string> all;  ///< of every linear layer, in the order of the model
  model::DecoderNames decoder;   ///< which of them the targets mean
  std::string encoder_blocks;    ///< and in the audio encoder: LoraConfig::encoder_blocks
};

LinearLayerNames linear_layer_names(const model::ModelConfig& config);

}  // namespace mdl::worker::adapter
