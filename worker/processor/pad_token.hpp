#pragma once

#include <cstdint>
#include <filesystem>

namespace mdl::worker::processor {

/// The id that pads text: the tokenizer's pad token, else its end-of-sequence token, looked up in the checkpoint's
/// tokenizer_config.json and tokenizer.json. Throws UsageError when neither file says.
int64_t read_pad_token_id(const std::filesystem::path& model_folder);

}  // namespace mdl::worker::processor
