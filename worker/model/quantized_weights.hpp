#pragma once

#include <optional>
#include <string>

#include "worker/tensors/safetensors.hpp"

namespace mdl::worker::model {

/// Why a checkpoint whose weights are quantized is refused. (This program quantizes plain ones itself, when it is asked
/// to.)
inline constexpr const char* kQuantized = "the weights are quantized, and this program needs those that are not";

/// What to take instead, by the decoder's model_type.
std::string unquantized_variant(const std::string& decoder);

/// The first tensor that shows that the files hold quantized weights, and by what: an 8-bit floating type, or a name as
/// GPTQ, AWQ, compressed-tensors and bitsandbytes give them to what belongs to a packed weight. Nothing for others.
std::optional<std::string> find_quantized(const tensors::SafetensorsFolder& files);

}  // namespace mdl::worker::model
