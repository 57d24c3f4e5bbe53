#pragma once

#include <filesystem>
#include <memory>

#include "worker/batch/batch.hpp"
#include "worker/layers/token_scores.hpp"
#include "worker/model/audio_projector.hpp"
#include "worker/model/checkpoint_names.hpp"
#include "worker/model/config.hpp"
#include "worker/model/dasheng_encoder.hpp"
#include "worker/model/decoder.hpp"
#include "worker/model/packed_batch.hpp"

namespace mdl::worker::model {

/// The whole model: audio encoder, projector, text decoder.
///
/// Padding costs nothing here: a batch is planned on the host (batch_layout.hpp), and then only its real tokens and
/// real audio patches go through the layers, as rows of one matrix. The results for them are those of the padded
/// computation.
///
/// A Batch is best left on the CPU, where the plan is made. On a GPU it works too, at the price of a wait for the
/// device. Who makes batches ahead of the device on another thread pack()s them there, in pinned memory.
///
/// train() and eval() matter, as under Hugging Face's Trainer, to audio_encoder.init_bn: in train mode it normalises by
/// the statistics of this batch (padding included) and moves its running statistics, in eval mode it uses these. The
/// running statistics are part of the checkpoint. So the loss of a clip in train mode depends on its batch, and two
/// ranks with 4 clips each do not compute quite what one with 8 does; use_running_statistics(true) takes that away.
///
/// Errors in a batch (a count of audio tokens that does not match the clip, a token id outside the vocabulary, shapes
/// that disagree) throw Error naming the row.
class MiDashengLM : public layers::Layer {
 public:
  /// Makes the layers on the meta device; `dtype` is float32 or bfloat16. The mel frontend is float32 in any case.
  MiDashengLM(const ModelConfig& config, at::ScalarType dtype);

  /// Plans a batch and lays out all that the device needs of it. Any thread may call it, while the model computes.
  PackedBatch pack(const batch::Batch& batch, HostMemory where = HostMemory::plain) const;

  /// [batch, tokens, vocab] in the model's type; zero at padding.
  at::Tensor logits(const batch::Batch& batch);

  /// Scalar float32: the SUM of the next-token cross-entropy over the labels (position t predicts the label of t + 1,
  /// as in Hugging Face's causal loss). Divide by the number of label tokens of the whole accumulated batch. The logits
  /// exist only for labelled positions, and only for some of these at a time. A label in the first column or right
  /// behind padding has no position that predicts it and does not count.
  at::Tensor loss_sum(const batch::Batch& batch);

  /// The same of a batch that was pack()ed and brought to the model's device.
  at::Tensor loss_sum(const PackedBatch& batch);

  /// How well each label that loss_sum() counts is predicted, row after row. Without gradients.
  layers::TokenScores token_scores(const PackedBatch& batch);

  /// What the encoder sees before its normalisation.
  AudioFeatures features(const batch::Batch& batch);

  /// Encoded patches, one row each, in the order of BatchLayout::pieces.
  at::Tensor encode(const batch::Batch& batch);

  /// What the first token of an answer is chosen from, and what the others are made with.
  struct Prefill {
    at::Tensor logits;  ///< [batch, vocab] float32, of the token that follows each row
    KvCache cache;
  };

  /// Reads the prompts of a batch. Each clip is heard as if it were alone: its features do not depend on the padding
  /// behind it, so neither does the answer on the rest of the batch. Needs eval mode.
  Prefill read_prompts(const batch::Batch& batch);

  /// Goes on by one token in each row: tokens int64 [rows], of the device -> logits of the next, [rows, vocab] float32.
  at::Tensor next_logits(const at::Tensor& tokens, KvCache& cache);

  /// The plan that the calls above make for this batch.
  BatchLayout layout(const batch::Batch& batch) const;

  /// true: init_bn uses its running statistics in train mode too and leaves them unchanged. Default false, as Python.
  void use_running_statistics(bool enabled);

  /// true: each encoder block and decoder layer is run again in the backward pass instead of keeping what it computed.
  /// The same losses and gradients, less memory, more time. Default false.
  void set_gradient_checkpointing(bool enabled);

  const ModelConfig& config() const { return config_; }
  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const;

  std::shared_ptr<DashengEncoder> audio_encoder;
  std::shared_ptr<AudioProjector> audio_projector;
  std::shared_ptr<Decoder> decoder;

  CheckpointNames names;  ///< of the files that it was loaded from; none for a model that was not

 private:
  /// Samples that give one audio token: what a lone short clip is filled up to.
  int64_t least_samples() const;

  /// input_values, made long enough for one audio token with zeros, as MiDashengLM does with a lone short clip.
  at::Tensor waveforms(const batch::Batch& batch) const;

  /// features(), but each clip by itself; frames behind its end, which nobody looks at, are zero. `wave` as waveforms()
  /// gives it, `lengths` its clips' samples, on the CPU.
  AudioFeatures lone_features(const at::Tensor& wave, const at::Tensor& lengths);

  /// The packed tokens' embeddings, [token_ids, hidden], with the audio's in their places.
  at::Tensor embeddings(const AudioFeatures& features, const PackedBatch& batch);

  FlashAttention flash_attention() const;

  /// What counts of packed rows are rounded up to.
  int64_t row_step() const;

  /// Final hidden states of the packed tokens, [layout.tokens, hidden], or with `rows` of some of them, and of those
  /// that round them up.
  at::Tensor hidden_states(const PackedBatch& batch, const at::Tensor& rows = {});

  ModelConfig config_;
  at::ScalarType dtype_;
};

/// Told after each tensor how many bytes of the files are loaded, and of how many.
using LoadProgress = std::function<void(int64_t loaded, int64_t total)>;

/// Loads a checkpoint folder (config.json, model.safetensors or its shards). On the CPU, tensors that already have
/// `dtype` stay in the mapped file, so no second copy exists and ranks share the memory; others are converted on the
/// rank's share of the cores (process::cpu_share), a few at a time, while the next are read. Throws as
/// open_checkpoint() does. Tensors that the model has no place for are left out: see MiDashengLM::names. The model
/// comes in eval mode. With `quantize`, the weights of all linear layers but lm_head are quantized one by one as they
/// are loaded, so that the device never holds them whole.
std::shared_ptr<MiDashengLM> load_model(const std::filesystem::path& folder, at::ScalarType dtype, at::Device device,
                                        const layers::Quantize& quantize = {}, const LoadProgress& progress = {});

}  // namespace mdl::worker::model
