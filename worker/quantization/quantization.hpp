#pragma once

#include <optional>
#include <string>

#include "worker/layers/quantized_weight.hpp"

namespace mdl::worker::quantization {

/// How `--quantization` keeps the frozen linear layers.
struct Quantization {
  enum class Kind {
    int8,  ///< 8bit: LLM.int8
    fp4,   ///< 4bit, as the Python tool: 4-bit floating point
    nf4,   ///< 4bit with --quantization-type nf4: quantiles of the normal distribution
  };
  Kind kind = Kind::fp4;
  bool double_quantization = false;  ///< 4bit: the blocks' scales are quantized themselves

  std::string name() const;
};

/// The values of --quantization, --quantization-type and --double-quantization. Throws UsageError for others, and for
/// the latter two without 4bit.
std::optional<Quantization> parse_quantization(const std::optional<std::string>& bits,
                                               const std::optional<std::string>& type,
                                               const std::optional<bool>& double_quantization);

/// What makes such weights. Opens bitsandbytes' library for the kind of device at once, where it needs it: throws
/// UsageError when it is missing.
layers::Quantize make_quantizer(const Quantization& quantization, at::Device device);

}  // namespace mdl::worker::quantization
