#pragma once

#include <filesystem>

#include "worker/formats/encoder_names.hpp"
#include "worker/formats/json_fields.hpp"
#include "worker/model/encoder_config.hpp"

namespace mdl::worker::model {

/// What the parts of the encoder are called in the checkpoint in `folder`, which holds `tensors`; `fields` are those of
/// its `audio_encoder_config`. See read_encoder_config().
formats::EncoderNames find_names(const formats::JsonFields& fields, const formats::TensorShapes& tensors,
                                 const std::filesystem::path& folder);

/// Takes the sizes of an encoder with two branches from the shapes of its tensors: all but the number of heads, which
/// is in no shape, and the rate of its frames. Throws UsageError for shapes that make no sense, naming the tensor.
void take_stored_sizes(const formats::TensorShapes& tensors, const std::filesystem::path& folder,
                       AudioEncoderConfig& config);

}  // namespace mdl::worker::model
