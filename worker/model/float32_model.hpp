#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "worker/model/config.hpp"

namespace mdl::worker::model {

/// Whether the published weights of such a model are reported to give numbers that are not finite in bfloat16, so that
/// nothing but the user's word puts it into that type: the 0.6B, which has an acoustic branch.
bool needs_float32(const ModelConfig& config);

/// What to say, behind a semicolon, of numbers that are not finite: nothing, unless such a model runs in bfloat16.
std::string blame_bfloat16(const ModelConfig& config, at::ScalarType dtype);

/// What to do about it: `otherwise`, unless such a model runs in bfloat16.
std::string advise_float32(const ModelConfig& config, at::ScalarType dtype, const std::string& otherwise);

}  // namespace mdl::worker::model
