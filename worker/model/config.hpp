#pragma once

#include <cstdint>
#include <filesystem>

#include "worker/model/text_config.hpp"

namespace mdl::worker::model {

/// Sizes of the audio encoder and of its mel frontend: `audio_encoder_config` of config.json. A key that is missing
/// there has the value of the published 7B model, as in the Python model.
struct AudioEncoderConfig {
  int64_t embed_dim = 1280;
  int64_t depth = 32;  ///< transformer blocks
  int64_t num_heads = 16;
  double mlp_ratio = 4.0;
  bool qkv_bias = true;
  int64_t patch_frames = 4;      ///< mel frames in a patch; a patch spans all mel bins
  int64_t target_length = 1008;  ///< mel frames that are encoded together; a longer clip is encoded piece by piece
  int64_t n_mels = 64;
  int64_t n_fft = 512;
  int64_t win_length = 512;
  int64_t hop_length = 160;  ///< samples
  int64_t sample_rate = 16000;
  double f_min = 0.0;  ///< Hz
  double f_max = 8000.0;
  bool center = true;

  int64_t piece_patches() const { return target_length / patch_frames; }
  int64_t mlp_dim() const { return static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio); }
};

/// What config.json of a MiDashengLM checkpoint says.
struct ModelConfig {
  AudioEncoderConfig audio;
  TextConfig text;
  int64_t subsample_factor = 5;  ///< patches folded into one audio token
  int64_t audio_token_id = 0;    ///< the id that marks the place of one audio token in the text
};

/// Reads FOLDER/config.json. Throws UsageError naming the file, the key and what is wrong with it: a missing folder or
/// file, broken JSON, a missing, mistyped or impossible value, or a feature that this program does not have (another
/// decoder family, sliding windows, a rope that is scaled, a quantized checkpoint).
ModelConfig load_config(const std::filesystem::path& folder);

/// How many audio tokens a clip of `samples` samples becomes: as many as the processor writes into its text.
int64_t audio_token_count(int64_t samples, const ModelConfig& config);

}  // namespace mdl::worker::model
