#pragma once

#include <ATen/core/Tensor.h>

namespace mdl::worker::batch {

/// One padded micro-batch, as the model takes it. All tensors are on the same device.
struct Batch {
  at::Tensor input_ids;       ///< [batch, tokens] int64, padded on the left
  at::Tensor attention_mask;  ///< [batch, tokens] int64, 1 for a real token, 0 for padding
  at::Tensor input_values;    ///< [batch, samples] float32 waveforms at 16 kHz, zero-padded on the right
  at::Tensor audio_length;    ///< [batch] int64, samples of each clip without its padding
  at::Tensor labels;          ///< [batch, tokens] int64, -100 where no loss is taken
};

}  // namespace mdl::worker::batch
