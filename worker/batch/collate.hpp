#pragma once

#include <span>

#include "worker/batch/batch.hpp"
#include "worker/dataset/sample.hpp"

namespace mdl::worker::batch {

/// Pads samples to one batch on the CPU as the Python tool's collator does: text on the left with `pad_token_id`, mask
/// 0 and label -100, audio on the right with zeros, each to the longest of the batch.
///
/// With `audio_dtype` bfloat16 the waveform is rounded to it and back, as the Python tool, which hands the model audio
/// of the model's type, does; the frontend then computes in float32 in both. `samples` must not be empty.
Batch collate(std::span<const dataset::Sample> samples, int64_t pad_token_id, at::ScalarType audio_dtype);

}  // namespace mdl::worker::batch
