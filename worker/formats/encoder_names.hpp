#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mdl::worker::formats {

/// The tensors of a checkpoint: name and shape.
using TensorShapes = std::map<std::string, std::vector<std::int64_t>>;

/// What the second branch of the 0.6B's audio encoder is called in a checkpoint, by full names.
struct AcousticNames {
  std::string patch_embed = "audio_encoder.patch_embed";  ///< .weight [dim, 1, bins, frames], .bias
  std::string norm = "audio_encoder.norm";                ///< .weight, .bias [dim]
  std::string window = "audio_encoder.front_end.mel_spec.spectrogram.window";  ///< [n_fft]; a file may lack it
  std::string filters = "audio_encoder.front_end.mel_spec.mel_scale.fb";       ///< [n_fft / 2 + 1, bins]; this too

  friend bool operator==(const AcousticNames&, const AcousticNames&) = default;
};

/// What the parts of the audio encoder are called in a checkpoint, by full names. The defaults are the 7B's.
struct EncoderNames {
  std::string blocks = "audio_encoder.blocks";  ///< .N.attn.qkv.weight, …
  std::string init_bn = "audio_encoder.init_bn";
  std::string patch_embed = "audio_encoder.patch_embed.proj";
  std::string norm = "audio_encoder.norm";
  std::string time_pos_embed = "audio_encoder.time_pos_embed";
  std::string freq_pos_embed = "audio_encoder.freq_pos_embed";
  std::string window = "audio_encoder.front_end.0.spectrogram.window";  ///< a file may lack it
  std::string filters = "audio_encoder.front_end.0.mel_scale.fb";       ///< this too
  std::optional<AcousticNames> acoustic{};  ///< of a model that has this branch beside the Dasheng encoder

  friend bool operator==(const EncoderNames&, const EncoderNames&) = default;
};

/// Finds the parts by the ends of the names below audio_encoder. and by their shapes, in whatever modules they lie. Of
/// several tensors that could be a part, the one that lies nearest to the transformer blocks is the Dasheng encoder's.
/// `two_branches`: the configuration says that there is an acoustic branch; tensors of one say it too. A checkpoint
/// with one branch may lack anything: the 7B's names then stand for what is missing, to be told by who loads it.
/// Throws UsageError that lists what was not found of two branches, or the tensors between which it cannot decide.
EncoderNames find_encoder_names(const TensorShapes& tensors, bool two_branches);

}  // namespace mdl::worker::formats
