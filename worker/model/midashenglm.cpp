#include "worker/model/midashenglm.hpp"

#include <ATen/ops/zeros.h>

#include "common/error.hpp"
#include "common/str_cat.hpp"
#include "worker/model/index_tensor.hpp"
#include "worker/model/token_loss.hpp"

namespace mdl {
namespace {

/// The small tensors of a batch, on the CPU. Free when they are there already.
Batch on_host(const Batch& batch) {
  const auto host = [](const at::Tensor& x) { return x.defined() ? x.cpu() : x; };
  return {host(batch.input_ids), host(batch.attention_mask), batch.input_values, host(batch.audio_length),
          host(batch.labels)};
}

}  // namespace

MiDashengLM::MiDashengLM(const ModelConfig& config, at::ScalarType dtype) : config_(config), dtype_(dtype) {
  audio_encoder = register_module("audio_encoder", std::make_shared<DashengEncoder>(config.audio, dtype));
  audio_projector = register_module("audio_projector",
                                    std::make_shared<AudioProjector>(config.audio.embed_dim, config.text.hidden_size,
                                                                     config.subsample_factor, dtype));
  decoder = register_module("decoder", std::make_shared<QwenDecoder>(config.text, dtype));
  eval();
}

at::Device MiDashengLM::device() const {
  return decoder->embed_tokens->weight.device();
}

void MiDashengLM::use_running_statistics(bool enabled) {
  audio_encoder->init_bn->always_use_running_statistics = enabled;
}

void MiDashengLM::set_gradient_checkpointing(bool enabled) {
  audio_encoder->gradient_checkpointing = enabled;
  decoder->gradient_checkpointing = enabled;
}

BatchLayout MiDashengLM::layout(const Batch& batch) const {
  int64_t frames = 0;
  if (batch.input_values.defined()) {
    if (batch.input_values.dim() != 2)
      throw Error(
          str_cat("batch: input_values has shape ", batch.input_values.sizes(), ", but [batch, samples] is needed"));
    const int64_t samples = batch.input_values.size(1);
    if (samples <= config_.audio.n_fft / 2) {
      throw Error(str_cat("batch: clips of ", samples, " samples are too short for a mel frame"),
                  str_cat("Pad them with zeros to at least ", config_.audio.n_fft, " samples."));
    }
    frames = MelFrontend::frame_count(samples, config_.audio);
  }
  return plan_batch(on_host(batch), config_, frames);
}

at::Tensor MiDashengLM::features(const Batch& batch) {
  return audio_encoder->frontend->forward(batch.input_values);
}

at::Tensor MiDashengLM::encode(const Batch& batch) {
  return audio_encoder->forward(batch.input_values, layout(batch).pieces);
}

at::Tensor MiDashengLM::hidden_states(const Batch& batch, const BatchLayout& plan, const at::Tensor& rows) {
  const at::Device place = device();
  at::Tensor h = decoder->embed(index_tensor(plan.token_ids, place));
  if (!plan.clips.empty()) {
    const at::Tensor patches = audio_encoder->forward(batch.input_values, plan.pieces);
    const at::Tensor audio =
        audio_projector->forward(patches.index_select(0, index_tensor(plan.folded_patches, place)));
    h = h.index_copy(0, index_tensor(plan.audio_rows, place), audio.to(h.scalar_type()));
  }
  const auto groups = group_sequences(plan.row_lengths, plan.row_lengths);
  return decoder->forward(h, index_tensor(plan.positions, place), groups, rows);
}

at::Tensor MiDashengLM::logits(const Batch& batch) {
  const BatchLayout plan = layout(batch);
  const at::Tensor packed = decoder->lm_head->forward(hidden_states(batch, plan));
  const at::Tensor padded = at::zeros({batch.input_ids.numel(), packed.size(1)}, packed.options());
  return padded.index_copy(0, index_tensor(plan.token_index, device()), packed)
      .view({batch.input_ids.size(0), batch.input_ids.size(1), -1});
}

at::Tensor MiDashengLM::loss_sum(const Batch& batch) {
  if (!batch.labels.defined()) throw Error("batch: the loss needs labels");
  const BatchLayout plan = layout(batch);
  const at::Tensor hidden = hidden_states(batch, plan, index_tensor(plan.predicting_rows, device()));
  return token_loss_sum(hidden, decoder->lm_head->weight, index_tensor(plan.targets, device()));
}

}  // namespace mdl
