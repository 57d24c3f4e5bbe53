#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mdl::worker::batch {

/// How samples become batches on this rank.
struct BatchOptions {
  int64_t batch_size = 8;  ///< clips of this rank in a batch
  int64_t pad_token_id = 0;
  at::ScalarType audio_dtype = at::kFloat;  ///< see collate()
  bool skip_bad_samples = false;            ///< see read_step(); false: they are errors
  int64_t accumulation_steps = 0;           ///< evaluation batches after which losses leave the device; 0: at the end
};

}  // namespace mdl::worker::batch
