#pragma once

#include <cstdint>
#include <vector>

#include "worker/batch/batch.hpp"
#include "worker/model/config.hpp"

namespace mdl::worker::model {

/// One stretch of patches that attend to each other: at most AudioEncoderConfig::piece_patches() of one clip.
struct AudioPiece {
  int64_t clip;         ///< row of input_values
  int64_t first_patch;  ///< within the clip
  int64_t patches;      ///< computed
  int64_t keys;         ///< the first of these that others may look at; the rest lie past the clip's own length
};

/// One clip in the encoder's output.
struct AudioClip {
  int64_t tokens;         ///< audio tokens it becomes
  int64_t valid_patches;  ///< samples / (hop · patch_frames), rounded down
};

/// Where everything of a padded batch goes in the packed computation. Plain numbers, made on the host.
struct BatchLayout {
  // Text. Packed tokens are the real tokens of all rows in row order.
  std::vector<int64_t> row_lengths;  ///< real tokens of each row
  std::vector<int64_t> token_index;  ///< of each packed token: row · columns + column in the padded batch
  std::vector<int64_t> token_ids;    ///< of each packed token
  std::vector<int64_t> positions;  ///< of each packed token, for rope: its column, as transformers counts (padding too)
  std::vector<int64_t> audio_rows;       ///< packed tokens that audio tokens replace, in order
  std::vector<int64_t> predicting_rows;  ///< packed tokens whose next token is a label
  std::vector<int64_t> targets;          ///< the label for each of predicting_rows
  // Audio. Patches are computed piece by piece in the order of `pieces`, which puts pieces of equal length together.
  std::vector<AudioClip> clips;
  std::vector<AudioPiece> pieces;
  std::vector<int64_t> folded_patches;  ///< rows of the encoder's output that the projector folds, clip after clip
  std::vector<int64_t> patch_rows;   ///< of each patch: clip · patches of the batch's longest clip + patch of its clip
  std::vector<int64_t> patch_times;  ///< of each patch: its place in its piece

  int64_t tokens() const { return static_cast<int64_t>(token_index.size()); }
};

/// Plans a batch. All tensors but input_values (only its shape is read) must be on the CPU. `frames` is the number of
/// mel frames that input_values gives. Throws Error for a batch that makes no sense, naming row and reason.
///
/// A patch past a clip's own length is computed only where an audio token folds it. It is hidden from the other
/// patches, as in the Python model. Should a whole piece lie past the end (a clip that ends within 480 samples of a
/// multiple of 10.08 s), its patches see each other; Python lets them see all padding of the batch too.
BatchLayout plan_batch(const batch::Batch& batch, const ModelConfig& config, int64_t frames);

}  // namespace mdl::worker::model
