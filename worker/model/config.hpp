#pragma once

#include <cstdint>
#include <filesystem>

#include "worker/dataset/audio_tokens.hpp"
#include "worker/model/encoder_config.hpp"
#include "worker/model/text_config.hpp"

namespace mdl::worker::model {

/// What config.json of a MiDashengLM checkpoint says.
struct ModelConfig {
  AudioEncoderConfig audio;
  TextConfig text;
  int64_t subsample_factor = 5;  ///< patches folded into one audio token
  int64_t audio_token_id = 0;    ///< the id that marks the place of one audio token in the text
};

/// Reads FOLDER/config.json. A key that is missing has the value of the published configuration classes; audio_token_id
/// is then the id of the processor's audio token in the tokenizer. Throws UsageError naming the file, the key and what
/// is wrong with it: a missing folder or file, broken JSON, a missing, mistyped or impossible value, or a feature that
/// this program does not have (another decoder family, sliding windows, a rope that is scaled, a quantized checkpoint).
///
/// A folder whose `tokenizer` may be missing holds no more than a configuration that is to be described: an
/// audio_token_id that only the tokenizer tells is 0 then.
enum class Tokenizer { needed, may_be_missing };
ModelConfig load_config(const std::filesystem::path& folder, Tokenizer tokenizer = Tokenizer::needed);

/// How sound becomes tokens of this model.
dataset::AudioTokens audio_tokens(const ModelConfig& config);

/// How many audio tokens a clip of `samples` samples becomes: as many as the processor writes into its text.
int64_t audio_token_count(int64_t samples, const ModelConfig& config);

}  // namespace mdl::worker::model
