#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "worker/model/decoder.hpp"
#include "worker/model/decoder_names.hpp"
#include "worker/model/text_config.hpp"

namespace mdl::worker::model {

/// A decoder that a MiDashengLM can have.
struct DecoderType {
  /// What `text_config.model_type` may be. The first one stands for all in messages.
  std::vector<std::string> model_types;
  TextConfig (*read_config)(const formats::JsonFields& text_config);
  std::shared_ptr<Decoder> (*make)(const TextConfig& config, at::ScalarType dtype);  ///< on the meta device
  DecoderNames names;
};

/// All of them.
std::span<const DecoderType> decoder_types();

/// That of a configuration.
const DecoderType& decoder_type(const TextConfig& config);

/// Reads `text_config`; one without a model_type is Qwen2.5-Omni's text model, as in the Python model. Throws
/// UsageError naming the key: also for a model_type that is none of these.
TextConfig read_text_config(const formats::JsonFields& fields);

}  // namespace mdl::worker::model
