#include "worker/model/batch_layout.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/dataset/label.hpp"

namespace mdl::worker::model {
namespace {

/// A contiguous int64 view on a host tensor of the batch; `shape` may hold -1 for any size.
at::Tensor host_integers(const at::Tensor& x, const char* name, at::IntArrayRef shape) {
  if (!x.defined() || !x.device().is_cpu()) { throw Error(str_cat("batch: ", name, " must be a CPU tensor")); }
  if (x.scalar_type() != at::kLong) { throw Error(str_cat("batch: ", name, " must be int64, not ", x.scalar_type())); }
  bool fits = x.dim() == static_cast<int64_t>(shape.size());
  for (int64_t d = 0; fits && d < x.dim(); ++d) { fits = shape[d] == -1 || shape[d] == x.size(d); }
  if (!fits) { throw Error(str_cat("batch: ", name, " has shape ", x.sizes(), ", but ", shape, " is needed")); }
  return x.contiguous();
}

void plan_text(const batch::Batch& batch, const TextConfig& text, BatchLayout& layout) {
  const at::Tensor ids = host_integers(batch.input_ids, "input_ids", {-1, -1});
  const int64_t rows = ids.size(0), columns = ids.size(1);
  const at::Tensor mask = host_integers(batch.attention_mask, "attention_mask", {rows, columns});
  const at::Tensor labels =
      batch.labels.defined() ? host_integers(batch.labels, "labels", {rows, columns}) : at::Tensor();
  const auto* id = ids.const_data_ptr<int64_t>();
  const auto* real = mask.const_data_ptr<int64_t>();
  const auto* label = labels.defined() ? labels.const_data_ptr<int64_t>() : nullptr;

  const auto check_id = [&](int64_t value, int64_t row, const char* what) {
    if (value < 0 || value >= text.vocab_size) {
      throw Error(str_cat("batch row ", row, ": ", what, " ", value, " is outside the vocabulary of ", text.vocab_size),
                  "Was the dataset converted with this model's tokenizer?");
    }
  };
  for (int64_t row = 0; row < rows; ++row) {
    int64_t length = 0;
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t at = row * columns + column;
      if (real[at] == 0) { continue; }
      check_id(id[at], row, "token id");
      if (label && column + 1 < columns && label[at + 1] != dataset::kIgnoredLabel) {
        check_id(label[at + 1], row, "label");
        layout.predicting_rows.push_back(layout.tokens());
        layout.targets.push_back(label[at + 1]);
      }
      layout.token_index.push_back(at);
      layout.token_ids.push_back(id[at]);
      layout.positions.push_back(column);
      ++length;
    }
    if (length == 0) { throw Error(str_cat("batch row ", row, " has no token")); }
    layout.row_lengths.push_back(length);
  }
}

void plan_audio(const batch::Batch& batch, const ModelConfig& config, int64_t frames, BatchLayout& layout) {
  const auto& audio = config.audio;
  const int64_t batch_patches = frames / audio.patch_frames;
  const int64_t batch_samples = batch.input_values.size(1);
  const int64_t clips = batch.input_values.size(0);
  const at::Tensor lengths = host_integers(batch.audio_length, "audio_length", {clips});

  // The rows of every clip in the encoder's output follow from the order of the pieces, so these are made first.
  for (int64_t clip = 0; clip < clips; ++clip) {
    const int64_t samples = lengths.const_data_ptr<int64_t>()[clip];
    if (samples < 1 || samples > batch_samples) {
      throw Error(str_cat("batch row ", clip, ": audio_length is ", samples, ", but the clip has room for 1 to ",
                          batch_samples, " samples"));
    }
    const AudioClip planned{audio_token_count(samples, config), samples / (audio.hop_length * audio.patch_frames)};
    const int64_t folded = planned.tokens * config.subsample_factor;
    if (folded > batch_patches) {
      throw Error(str_cat("batch row ", clip, ": a clip of ", samples, " samples is too short for an audio token"),
                  str_cat("Pad it with zeros to at least ",
                          config.subsample_factor * audio.patch_frames * audio.hop_length, " samples."));
    }
    layout.clips.push_back(planned);
    const int64_t computed = std::max(folded, planned.valid_patches);
    for (int64_t first = 0; first < computed; first += audio.piece_patches()) {
      const int64_t patches = std::min(audio.piece_patches(), computed - first);
      const int64_t keys = std::clamp<int64_t>(planned.valid_patches - first, 0, patches);
      layout.pieces.push_back({clip, first, patches, keys == 0 ? patches : keys});
    }
  }
  std::stable_sort(layout.pieces.begin(), layout.pieces.end(), [](const AudioPiece& a, const AudioPiece& b) {
    return std::pair(a.patches, a.keys) > std::pair(b.patches, b.keys);
  });

  for (const auto& piece : layout.pieces) {
    for (int64_t i = 0; i < piece.patches; ++i) {
      layout.patch_rows.push_back(piece.clip * batch_patches + piece.first_patch + i);
      layout.patch_times.push_back(i);
    }
  }
  std::vector<std::vector<std::pair<int64_t, int64_t>>> rows_of(clips);  // (first patch, row of the output)
  int64_t row = 0;
  for (const auto& piece : layout.pieces) {
    rows_of[piece.clip].emplace_back(piece.first_patch, row);
    row += piece.patches;
  }
  for (int64_t clip = 0; clip < clips; ++clip) {
    std::sort(rows_of[clip].begin(), rows_of[clip].end());
    const int64_t folded = layout.clips[clip].tokens * config.subsample_factor;
    for (int64_t patch = 0; patch < folded; ++patch) {
      const auto& [first, first_row] = rows_of[clip][patch / audio.piece_patches()];
      layout.folded_patches.push_back(first_row + patch - first);
    }
  }
}

/// Finds the places of the audio tokens. One clip a row is the rule, but a text may hold several: clips are taken in
/// order, so only the sums over the batch must agree.
void match_audio(const ModelConfig& config, BatchLayout& layout) {
  int64_t at = 0, available = 0;
  for (const auto& clip : layout.clips) { available += clip.tokens; }
  for (size_t row = 0; row < layout.row_lengths.size(); ++row) {
    int64_t places = 0;
    for (int64_t i = 0; i < layout.row_lengths[row]; ++i, ++at) {
      if (layout.token_ids[at] != config.audio_token_id) { continue; }
      layout.audio_rows.push_back(at);
      ++places;
    }
    const bool clip_a_row = layout.clips.size() == layout.row_lengths.size();
    if (clip_a_row && places != layout.clips[row].tokens) {
      throw Error(str_cat("batch row ", row, ": the text has places for ", places, " audio tokens, but its clip gives ",
                          layout.clips[row].tokens),
                  "The dataset was converted for another model or processor; convert it again.");
    }
  }
  if (static_cast<int64_t>(layout.audio_rows.size()) != available) {
    throw Error(
        str_cat("the batch has places for ", layout.audio_rows.size(), " audio tokens, but its clips give ", available),
        "The dataset was converted for another model or processor; convert it again.");
  }
}

}  // namespace

BatchLayout plan_batch(const batch::Batch& batch, const ModelConfig& config, int64_t frames) {
  BatchLayout layout;
  plan_text(batch, config.text, layout);
  if (batch.input_values.defined() && batch.input_values.size(0) > 0) { plan_audio(batch, config, frames, layout); }
  match_audio(config, layout);
  return layout;
}

}  // namespace mdl::worker::model
