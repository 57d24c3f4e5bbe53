#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "worker/model/midashenglm.hpp"
#include "worker/processor/processor.hpp"

namespace mdl::worker::merge {

/// A sound that needs no file: three seconds of a gliding tone, float32 at 16 kHz.
std::vector<float> built_in_sound();

/// What the model would choose the first token of an answer from: [vocab] float32, on the CPU. `waveform` is at the
/// model's rate; the question is fixed.
at::Tensor first_logits(model::MiDashengLM& model, const processor::Processor& processor,
                        const std::vector<float>& waveform);

/// How far two models' first_logits() are apart: the largest difference, as a part of the largest value.
double relative_difference(const at::Tensor& one, const at::Tensor& other);

}  // namespace mdl::worker::merge
