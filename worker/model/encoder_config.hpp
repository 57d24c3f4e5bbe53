#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "worker/formats/encoder_names.hpp"

namespace mdl::worker::formats {
class JsonFields;
}

namespace mdl::worker::model {

/// The acoustic branch that the 0.6B's audio encoder has beside its Dasheng encoder: magnitudes of mel bins in natural
/// logarithms, and one layer. Its frames and patches are as long as the Dasheng encoder's.
struct AcousticConfig {
  int64_t n_mels = 128;
  int64_t n_fft = 1024;
  int64_t win_length = 1024;
};

/// Sizes of the audio encoder and of its mel frontend: `audio_encoder_config` of config.json. The values here are those
/// of the published configuration class, which hold for keys that are missing there.
struct AudioEncoderConfig {
  int64_t embed_dim = 768;
  int64_t depth = 12;  ///< transformer blocks
  int64_t num_heads = 12;
  double mlp_ratio = 4.0;
  bool qkv_bias = true;
  int64_t patch_frames =
      4;  ///< mel frames in a patch; a patch spans all mel bins. (The class has 16 × 16, no published model.)
  int64_t target_length = 1012;  ///< mel frames that are encoded together; a longer clip is encoded piece by piece
  int64_t n_mels = 64;
  int64_t n_fft = 512;
  int64_t win_length = 512;
  int64_t hop_length = 160;  ///< samples
  int64_t sample_rate = 16000;
  double f_min = 0.0;  ///< Hz
  double f_max = 8000.0;
  bool center = true;
  std::optional<AcousticConfig> acoustic{};
  formats::EncoderNames names{};  ///< of its parts in the checkpoint

  int64_t piece_patches() const { return target_length / patch_frames; }
  int64_t mlp_dim() const { return static_cast<int64_t>(static_cast<double>(embed_dim) * mlp_ratio); }
};

/// Reads `audio_encoder_config`. Where target_length or patch_size is missing, the weights say it by their shapes;
/// where these are not here, the values above hold. Of an encoder with two branches the
/// shapes of `tensors` say all sizes but the number of heads, whatever the configuration says. `tensors` are those of
/// `folder`; none where it has no weights: two branches then have the names that the public module gives them. Throws
/// UsageError naming the key and its value, also for one that this program cannot honour (LayerScale, square patches,
/// more than one channel, dropout), or what is missing of two branches, as find_encoder_names() does.
AudioEncoderConfig read_encoder_config(const formats::JsonFields& fields, const formats::TensorShapes& tensors,
                                       const std::filesystem::path& folder);

}  // namespace mdl::worker::model
